"""Values that the schema refuses: what would be right."""

SENTENCES: dict[str, tuple[str, str]] = {
    "text": ("{text}", "{advice}"),
    "and-more": ("... and {count:,} more.", ""),
    # By pydantic's type of error
    "value.wrong": ("{value} cannot be used.", ""),
    "value.int": ("{value} is not a whole number.", ""),
    "value.int-too-large": ("{value} is too large a number.", ""),
    "value.float": ("{value} is not a number.", ""),
    "value.finite": ("{value} is not a finite number.", ""),
    "value.bool": ("{value} must be true or false.", ""),
    "value.string": ("{value} must be text in quotes.", ""),
    "value.string-too-long": ("{value} is too long: at most {max_length} characters.", ""),
    "value.string-too-short": ("{value} is too short: at least {min_length} characters.", ""),
    "value.too-long": ("{value} has too many entries: at most {max_length}.", ""),
    "value.too-short": ("{value} has too few entries: at least {min_length}.", ""),
    "value.list": ("{value} must be a list, in square brackets.", ""),
    "value.section": ("{value} must be a group of settings, in braces.", ""),
    "value.choice": ("{value} is none of {choices:quoted}.", ""),
    "value.choice-near": ("{value} is none of {choices:quoted}.", 'Did you mean "{near}"?'),
    "value.out-of-range": ("{value} is out of range: it must be {limits}.", ""),
    "value.out-of-range-unit": ("{value} is out of range: it must be {limits} {unit}.", ""),
    "limits.": ("any number", ""),
    "limits.ge": ("at least {ge}", ""),
    "limits.gt": ("above {gt}", ""),
    "limits.le": ("at most {le}", ""),
    "limits.lt": ("below {lt}", ""),
    "limits.ge-le": ("at least {ge}, at most {le}", ""),
    "limits.ge-lt": ("at least {ge}, below {lt}", ""),
    "limits.gt-le": ("above {gt}, at most {le}", ""),
    "limits.gt-lt": ("above {gt}, below {lt}", ""),
    "value.missing": ("This must be given.", ""),
    "value.empty": ("Something must stand here.", ""),
    # Names
    "setting.unknown": ("There is no such setting.", ""),
    "setting.unknown-near": ("There is no such setting.", "Did you mean {near:setting}?"),
    "setting.of-another-kind": (
        'This belongs to {owner:setting} {kinds:quoted}, and here that is "{kind}".',
        "Leave it out, or change {owner:setting}.",
    ),
    # Texts with a form of their own
    "value.control-character": (
        "{value} holds the control character {character}: type it again without it.",
        "",
    ),
    "value.not-utf8": ("The text holds bytes that are not UTF-8.", "Rename the file, or type it again."),
    "value.interval": (
        '{value} must be a number with a unit, such as "50 steps", "1 epoch", "10 minutes", or "never".',
        "",
    ),
    "value.interval-whole": ("{value} must be a whole number of {unit}.", ""),
    "value.warm-up": (
        '{value} must be a number of steps or a share of the run, such as "100 steps" or "5 %".',
        "",
    ),
    "value.points": (
        '{value} must be points "place:height" between 0 and 1 from left to right, such as "0:1, 0.5:0.3, 1:0".',
        "",
    ),
    "value.too-many-points": ("{value} has too many points: at most {most}.", ""),
    "value.points-order": (
        "{value} has points that do not go from left to right: no two may have the same place.",
        "",
    ),
    "value.resolutions": (
        '{value} must be sizes in pixels, such as "512, 768" or "832x1216" (width x height).',
        "",
    ),
    "value.too-many-resolutions": ("{value} names {count:# size|# sizes}: at most {most} are possible.", ""),
    "value.resolution-range": ("{value} holds {side}: a size must be between {smallest} and {largest} pixels.", ""),
    "value.resolution-step": ("{value} holds {side}, which is not a multiple of {step}: take {near}.", ""),
    "value.too-many-sources": ("{value} names {count:# source|# sources}: at most {most} are possible.", ""),
    "value.caption-ending": (
        '{value} holds "{word}": write endings of files beside the images, such as ".tags", "-tags.txt", ".json:tags", '
        '"name" or "folder", separated by commas.',
        "",
    ),
    "value.caption-key": ('{value} holds "{word}": only .json files have keys, such as ".json:tags".', ""),
    "value.shares": ('{value} must be numbers separated by commas, such as "3, 1".', ""),
    "value.shares-zero": ("{value} holds only zeros: no source would ever be drawn.", ""),
    "value.replacement": (
        '{value}: line {line} is not a replacement. Write "old => new", or "old =>" to remove a word.',
        "",
    ),
    "value.replacement-long": ("{value}: the new words in line {line} are longer than {most} characters.", ""),
    "value.optimizer-class": ('{value} must name a class of {libraries:list}, such as "pytorch_optimizer:Yogi".', ""),
    "value.arguments": ('{value} must be values with names, such as "betas=(0.9, 0.99), eps=1e-8".', ""),
    "value.argument-taken": ("{value} sets {name}, which another setting sets.", ""),
    # Patterns of tags
    "pattern.too-many": ("There are {count:# pattern|# patterns}: at most {most} are possible.", ""),
    "pattern.too-long": ('The pattern "{pattern}" is longer than {most} characters.', ""),
    "pattern.invalid": ('"{pattern}" is not a regular expression: {error}.', ""),
    "pattern.looks-around": (
        'The pattern "{pattern}" refers back or looks around, which can take forever.',
        "Leave out \\1 and (?.",
    ),
    "pattern.repeats-a-group": (
        'The pattern "{pattern}" repeats a group, which can take forever.',
        "Put * + ? {{ }} behind single characters only.",
    ),
    "pattern.too-many-repeats": (
        'The pattern "{pattern}" repeats more than {most} times, which can take forever.',
        "Write several lines instead.",
    ),
    "pattern.too-many-groups": (
        'The pattern "{pattern}" has more than {most} groups, which can take forever.',
        "Write several lines instead.",
    ),
}
