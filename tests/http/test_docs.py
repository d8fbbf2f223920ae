"""module/README.md against the tables of directives and variables."""

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
