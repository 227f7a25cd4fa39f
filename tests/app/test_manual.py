"""The reference of all settings is what the schema says today."""

from app import manual
from modules.preset.validate import all_settings
from modules.system.bundled import ROOT
from modules.tools import TOOLS


def test_the_manual_is_not_stale() -> None:
    page = (ROOT / "resources/manual/settings.md").read_text(encoding="utf-8")
    advice = "run: ./start-ui.sh settings --markdown > resources/manual/settings.md"
    assert page == manual.markdown(), advice


def test_every_setting_is_in_both_lists() -> None:
    page, plain_text = manual.markdown(), manual.plain_text()
    for setting in all_settings():
        assert f"`{setting.path}`" in page
        assert f"  {setting.path} = " in plain_text
        assert setting.help in page


def test_the_page_of_tools_is_not_stale() -> None:
    page = (ROOT / "resources/manual/tools.md").read_text(encoding="utf-8")
    assert page == manual.tools_markdown(), "run: ./start-ui.sh tools --markdown > resources/manual/tools.md"


def test_every_tool_is_in_the_list() -> None:
    for tool in TOOLS.values():
        assert f"  {tool.name} " in manual.tools_plain()
