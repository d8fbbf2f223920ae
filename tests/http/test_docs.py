"""Documents against the tables of directives, variables and statuses; their links; tests that nobody is told of."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def directive_rows():
    """name -> (contexts, default) as module/directives.inc declares them."""
    text = (ROOT / "module/directives.inc").read_text()
    pattern = r'DIRECTIVE\("(\w+)",\s*([MSL |]+),.*?\b(?:own|flag|msec|size|pixels|number|choice|words),\s*"([^"]*)"'
    return {name: (contexts.replace("|", " ").split(), default) for name, contexts, default in re.findall(pattern, text, re.S)}


def documented(section):
    text = (ROOT / "module/README.md").read_text()
    part = text.split(f"## {section}\n", 1)[1].split("\n## ", 1)[0]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in part.splitlines() if line.startswith("| `")]


def test_every_directive_is_documented_with_its_contexts_and_default():
    declared = directive_rows()
    assert len(declared) == (ROOT / "module/directives.inc").read_text().count("\nDIRECTIVE(")
    pages = {re.match(r"`(\w+)`", row[0])[1]: row for row in documented("Directives")}
    assert set(pages) == set(declared)
    for name, (contexts, default) in declared.items():
        assert pages[name][1].split() == contexts, name
        if default != "format table":  # tests/core compares those with the format table itself
            assert pages[name][2] == default, name


def test_every_variable_is_documented():
    declared = re.findall(r'ngx_string\("(media_\w+)"\)', (ROOT / "module/variables.cpp").read_text())
    assert declared
    assert [row[0].removesuffix("*name*") for row in documented("Variables")] == [f"`${name}`" for name in declared]


def test_every_status_is_documented():
    sources = [*(ROOT / "module").glob("*.cpp"), *(ROOT / "core").glob("*/*.cpp")]
    used = {status for source in sources for status in re.findall(r"(?:Error|fail\()\{?\(?\{?([2-5]\d\d), ", source.read_text())}
    assert len(used) > 10
    part = (ROOT / "module/README.md").read_text().split("## Answers\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.split("|")[1] for line in part.splitlines() if re.match(r"\| \d", line)]
    assert used <= set(re.findall(r"\d{3}", " ".join(rows)))


def anchors(page):
    """Of the headings of a page, as they are made from their words."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", text, re.M)}


def test_links_lead_somewhere():
    pages = [page for page in ROOT.rglob("*.md") if not {"build", ".cache", "node_modules"} & {part.split("-")[0] for part in page.parts}]
    assert len(pages) > 10
    for page in pages:
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"\w+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), f"{page.relative_to(ROOT)}: {link}"
            assert not anchor or anchor in anchors(target), f"{page.relative_to(ROOT)}: {link}"


def test_every_test_is_in_the_table():
    told = (ROOT / "tests/README.md").read_text()
    assert [test.name for test in sorted((ROOT / "tests/http").glob("test_*.py")) if f"`{test.name}`" not in told] == []


def test_every_file_of_the_module_is_in_the_table():
    part = (ROOT / "module/README.md").read_text().split("## For developers\n", 1)[1]
    told = re.findall(r"`([a-z_]+)`", part)
    assert [file.stem for file in sorted((ROOT / "module").glob("*.cpp")) if file.stem not in told] == []
