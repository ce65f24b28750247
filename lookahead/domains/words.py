"""The words by which a tool's kind is known, and how a name is taken apart into words."""

import re
from functools import lru_cache
from typing import Final

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """The words of a name, in small letters: `readFile`, `read_file`, `READ-FILE` are all `read file`."""
    return tuple(word.lower() for word in _WORD.findall(name[:200]))


def names(words: str) -> frozenset[str]:
    """The words of a text as a set."""
    return frozenset(words.split())


COMMANDS: Final = names(
    """command commands cmd cmds command_line commandline cmdline shell_command bash_command bash_code argv script"""
)
"""Parameters that hold what a shell runs."""
FOLDERS: Final = names("cwd workdir working_dir working_directory workingdirectory directory dir dir_path")
WAITS: Final = names(
    """duration wait wait_seconds wait_time seconds timeout timeout_s timeout_sec timeout_seconds timeout_secs
    timeoutms timeout_ms timeout_millis yield_time_ms max_wait max_seconds time_limit"""
)
REMARKS: Final = names(
    "description explanation reason thought rationale title summary comment requires_approval security_risk"
)
"""Parameters that say why, and change nothing."""

SHELLS: Final = names("""bash sh zsh fish shell terminal console powershell pwsh tmux ssh subprocess unix linux""")
RUNS: Final = names("run exec execute invoke send")
ELSEWHERE: Final = names(
    "device device_id host database db instance instance_id robot agent client topic channel queue"
)
"""Parameters of a command that another machine than this one's shell takes."""
NOT_A_SHELL: Final = names("sql query redis mongo robot device voice drone git docker kubernetes game")
"""`run_command(command)` is a shell, and `send_robot_command(command)` is none."""

BROWSERS: Final = names("browser playwright puppeteer selenium webarena browsergym chromium")
PAGES: Final = names("""click fill type hover goto navigate scroll press select tab back forward open snapshot""")
ON_A_PAGE: Final = (frozenset({"bid"}), frozenset({"element", "ref"}), frozenset({"ref"}), frozenset({"selector"}))
"""Parameters that name something on a page; any one of these sets."""

PHONES: Final = names("android phone mobile adb droidbot uiautomator smartphone")
TOUCHES: Final = names("tap swipe touch fling pinch")
GESTURES: Final = names(
    """tap swipe touch click press long double scroll type input text open launch app apps home back key keyevent
    screen button drag state ui action act wait"""
)
PHONE_NAMES: Final = names(
    """long_press open_app press_back press_home navigate_back navigate_home keyboard_enter input_text kill_app
    set_text long_touch double_tap system_button"""
)
ON_A_SCREEN: Final = names(
    """x y index coordinate coordinates direction app_name app text element button id bounds start end package
    packagename package_name bundle_id device"""
)

DESKTOPS: Final = names("pyautogui desktop osworld xdotool mouse keyboard hotkey gui")
DESKTOP_NAMES: Final = names(
    """computer computer_use left_click right_click middle_click double_click triple_click left_click_drag move_to
    drag_to mouse_move hot_key"""
)

FILE_NOUNS: Final = names(
    """file files directory directories dir folder folders code repo notebook path paths workspace tree line lines"""
)
FILE_VERBS: Final = names(
    """read write edit create delete remove list view open move rename copy append replace patch search find insert
    modify update save touch make apply get show cat mkdir"""
)
FILE_PARAMETERS: Final = names(
    """path paths file_path filepath absolute_path filename file file_name directory dir dir_path directory_path folder
    pattern old_string old_str source destination src dst target_file relative_path notebook_path patch diff root"""
)
AGENT_TOOLS: Final = names(
    """read edit write multiedit glob grep ls todowrite task notebookedit bashoutput killshell killbash exitplanmode
    askuserquestion skill slashcommand read_file write_file edit_file replace list_directory glob
    search_file_content grep_search read_many_files todo_write save_memory exit_plan_mode run_shell_command
    apply_patch str_replace_editor str_replace_based_edit_tool view_file create_file todoread notebookread
    codebase_search file_search"""
)
"""The tools of the two coding agents that the format was trained on, and of their kin."""
AGENT_PARAMETERS: Final = names(
    """todos offset limit subagent_type bash_id shell_id plan questions fact skill output_mode include command query"""
)

SEARCH_NAMES: Final = names(
    """web_search websearch web_extractor dict_memory fetch fetch_url fetch_page fetch_webpage web_fetch webfetch
    read_url visit_webpage visit_page visit open_url url_fetch scrape scrape_url google_search tavily_search
    brave_search tavily_extract search_web searchweb google duckduckgo crawl"""
)
SEARCH_VERBS: Final = names("search fetch extract visit scrape crawl lookup browse query")
SEARCH_PLACES: Final = names(
    """web google bing duckduckgo ddg internet tavily brave serp serper serpapi exa wikipedia wiki webpage url arxiv
    news online searxng kagi"""
)
SEARCH_PARAMETERS: Final = names("query queries q url urls search_query search_queries keywords search_term")
