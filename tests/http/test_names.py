"""Names that would be one to the linker: core and module are one binary and one namespace."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def types(folder):
    """Types that headers declare at their top level."""
    found = set()
    for header in (ROOT / folder).rglob("*.h"):
        found |= set(re.findall(r"^(?:class|struct|enum class) (\w+)[^;]*\{", header.read_text(), re.M))
    return found


def test_core_and_module_share_no_type():
    core, module = types("core"), types("module")
    assert len(core) > 20 and len(module) > 20
    assert not core & module
