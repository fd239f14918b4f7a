"""The names of the tools that Remit itself brings, and where they are made (see agents.runs.builtins.port).

They need no connector: a version that lists one in its tools may use it.
"""

BUILTIN_CONNECTOR = "remit"
HAND_OVER = "remit.hand_over"
REMEMBER = "remit.remember"
SAVE_FILE = "remit.save_file"
BUILTIN_TOOLS: dict[str, str] = {
    "remit.ask_person": "agents.runs.builtins.asking.AskPerson",
    "remit.wait": "agents.runs.builtins.waiting.WaitUntil",
    "remit.expect_event": "agents.runs.builtins.events.ExpectEvent",
    "remit.wait_for_event": "agents.runs.builtins.events.WaitForEvent",
    HAND_OVER: "agents.runs.builtins.handing.HandOver",
    REMEMBER: "agents.runs.builtins.remembering.Remember",
    "remit.recall": "agents.runs.builtins.remembering.Recall",
    SAVE_FILE: "agents.runs.builtins.filing.SaveFile",
    "remit.read_file": "agents.runs.builtins.filing.ReadFile",
}
