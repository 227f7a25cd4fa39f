"""Files of presets and prompts, options of the command line, and changes of a run under way."""

# fmt: off
SENTENCES: dict[str, tuple[str, str]] = {
    "preset.wrong": ("These settings cannot be used", ""),
    "preset-file.wrong": ("{file}: these settings cannot be used", ""),
    "options.wrong": ("These settings of --set cannot be used", ""),
    # JSON
    "json.too-deep": ("{file} is nested more than {most} levels deep.", "That is not a file of settings."),
    "json.invalid": ("{file} is not valid JSON: {reason} in line {line}, column {column}.",
        "Fix that place: a comma or a quote is often missing just before it."),
    "json.half-a-character": ("{file} holds half of a character (\\ud800 to \\udfff alone).", "Correct it."),
    "json.keys-twice": ("{file}: settings that are there twice", ""),
    "json.key-twice": ("Keep one of them.", ""),
    "json.no-object": ("{file} holds no settings.", "A preset begins with {{ and ends with }}."),
    "json.not-a-number": ("A preset holds {word}, which is not a number.", "Write a finite number in its place."),
    "json.too-many-digits": ("A preset holds {start}... with {count} digits, which is not a number that can be used.",
        "Write a shorter number in its place."),
    # Files
    "file.missing": ("There is no file {file}.", "{advice}"),
    "file.no-neighbours": ("That folder holds no preset.", ""),
    "file.neighbours": ("In that folder there are: {names:list}.", ""),
    "file.no-folder": ("There is no folder {folder} either.", ""),
    "file.check-path": ("Check the path.", ""),
    "file.folder": ("{file} is a folder.", "Name a preset or project file (.json) in it."),
    "file.not-a-file": ("{file} is not a file, but a pipe or a device.", "Name a preset or project file (.json)."),
    "file.too-large": ("{file} is larger than {most} MB.", "That is not a preset. Was another file meant?"),
    "file.not-text": ("{file} is not text in UTF-8 (byte {byte}).", "Save it as UTF-8 in your editor."),
    "file.not-readable": ("{file} may not be read.", "Check the permissions of the file."),
    "file.folder-not-readable": ("{file} may not be read.", "Check the permissions of its folder."),
    "file.unusable": ("{file} cannot be used: {reason}.", "{advice}"),
    "system.name-too-long": ("Shorten the name.", ""),
    "system.link-loop": ("The link leads back to itself: remove it.", ""),
    "system.permissions": ("Change the permissions, or choose another place.", ""),
    "system.not-a-folder": ("A part of this path is a file, not a folder: choose another place.", ""),
    "system.file-in-the-way": ("A folder is needed in its place: rename it or delete it.", ""),
    "system.folder-in-the-way": ("A file is needed in its place: rename it or delete it.", ""),
    "system.read-only": ("Choose another place.", ""),
    "system.disk-failing": ("The disk may be failing, or was taken out: choose another place.", ""),
    "system.disk-full": ("Make room, or choose another disk.", ""),
    "system.name-not-possible": ("Rename it: this disk cannot write such a name.", ""),
    # Versions and kinds
    "preset-file.no-version": (
        "The file does not say which version of the settings it was written for, or says it in a wrong way.",
        'Write "version": {version} into it.'),
    "preset-file.newer": (
        "The file was written by a newer Seachange (settings version {version}; this one reads up to {known}).",
        "Update Seachange, or ask for the file in the older form."),
    "preset-file.kind": ('{value} is none of "preset", "project".', ""),
    "preset-file.private-folder": ("A preset holds no folder of one machine.",
        'Give it on the command line (--concept FOLDER), or make the file a project ("kind": "project").'),
    "preset-file.private": ("This belongs to one machine, not into a preset.",
        'Leave it out, give it on the command line (--set {path}=...), or make the file a project ("kind": '
        '"project").'),
    # --set
    "option.no-value": ("{option}: write --set path=value, for example --set training.batch_size=4.", ""),
    "option.no-entry": ("There is no such entry in the list.", "Entries count from 0, and new ones go last."),
    # A run under way
    "change.unknown": ("There is no setting {setting}.", ""),
    "change.unknown-near": ("There is no setting {setting}.", "Did you mean {near:setting}?"),
    "change.not-live": ("{path} cannot change while a run is under way.", "These can: {live:list}."),
    "prompt.wrong": ("This cannot be sampled", ""),
    # Files of prompts
    "prompts.wrong": ("{file}: these prompts cannot be used", ""),
    "prompts.none": ("{file} holds no prompts.", "Write one on each line."),
    "prompts.not-readable": ("{file} cannot be read: {reason}.", ""),
    "prompts.damaged": ("{file} is damaged: {reason}.", "Correct it, or use a .txt file."),
    "prompts.no-list": ("{file} is not a list of prompts.", "Put them into square brackets."),
    "prompts.other-model": ("{where}: --{option} is for other models and is left out.", ""),
    "prompts.unknown-option": ("{where}: --{option} is not known and is left out.", ""),
    "prompts.one-dash": ("{where}: {option} stays in the prompt.", "An option has two dashes: -{option}."),
    "prompts.no-sampler": ('{where}: no sampler is called "{name}".', ""),
    "prompts.no-number": ("{where}: {text} is not a number.", ""),
}
