"""Everything that crosses between the window and the engine, and nothing else does: commands go in, events come out.

Messages are frozen and plain, so that each can be one line of JSON: `modules/wire.py`.
Events carry paths of files, never pixels.
"""

from modules.messages.channel import Channel, Mailbox
from modules.messages.commands import (
    BackupNow,
    Change,
    CheckPreset,
    Command,
    Continue,
    Job,
    Pause,
    Query,
    Quit,
    RunTool,
    SampleNow,
    SaveNow,
    Stop,
    Train,
    ValidateNow,
)
from modules.messages.events import Answer, Event, Failed, Finished, Result, Stage
from modules.messages.findings import Finding, Note, Severity, note
from modules.messages.message import Bar
from modules.messages.plan import CardFit, Exactness, MemoryPlan, Rung
from modules.messages.training import (
    BackupSaved,
    CaptionReady,
    Continued,
    GridCell,
    ModelSaved,
    Paused,
    Progress,
    Retention,
    SampleReady,
    Started,
    Validated,
)
from modules.sentences.problem import Fix

Message = Event | Command

__all__ = [
    "Answer", "BackupNow", "BackupSaved", "Bar", "CaptionReady", "CardFit", "Change", "Channel", "CheckPreset",
    "Command", "Continue", "Continued", "Event", "Exactness", "Failed", "Finding", "Finished", "Fix", "GridCell",
    "Job", "Mailbox", "MemoryPlan", "Message", "ModelSaved", "Note", "Pause", "Paused", "Progress", "Query", "Quit",
    "Result", "Retention", "RunTool", "Rung", "SampleNow", "SampleReady", "SaveNow", "Severity", "Stage", "Started",
    "Stop", "Train", "ValidateNow", "Validated", "note",
]  # fmt: skip
