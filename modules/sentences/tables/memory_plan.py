"""The memory plan: how a run fits a card, and what it takes to."""

# fmt: off
SENTENCES: dict[str, tuple[str, str]] = {
    "plan.fits": ("Memory plan for {card}: {how:list}. {peak:bytes} of {total:bytes}{pace}.", ""),
    "plan.short": (
        "Memory plan for {card}: it does not fit. With {how:list} {short:bytes} are missing.{enough}", ""),
    "plan.enough": (" The smallest change with which it fits: {what}, {after:bytes}.", ""),
    "plan.enough:all": (" It fits with several changes together: {after:bytes}.", ""),
    "plan.main-memory": ("main memory", ""),
    "plan.card": ("{name}", ""),
    "plan.held": ("{held}", ""),
    "plan.held:off": ("no quantization", ""),
    "plan.on-card": ("all on the card", ""),
    "plan.offloaded": ("{count} of {of:# block|# blocks} in main memory", ""),
    "plan.offloaded:share": ("{share} of the blocks in main memory", ""),
    "plan.checkpointed:all": ("gradient checkpointing", ""),
    "plan.checkpointed": ("{count} of {of:# block|# blocks} checkpointed", ""),
    "plan.gradients": ("gradients in main memory", ""),
    "plan.compiled": ("compiled blocks", ""),
    "plan.batch-parts": ("each batch in {count} parts", ""),
    "plan.pace": (", about {seconds:duration} a step", ""),
    "plan.next": (
        "Memory ran out at step {step}. The run goes on in another way, which takes less: {how:list}.",
        "What you have set yourself stays as it is."),
    "plan.elsewhere": (
        "The run goes on with {now:bytes} of memory and was planned for {before:bytes}: its memory plan is made anew.",
        ""),
    "plan.exact": ("exact", ""),
    "plan.near": ("near exact", ""),
    "plan.less": ("less exact", ""),
    "plan.too-large": ("too large", ""),
    "plan.too-small": ("too small", ""),
    "plan.aside": ("{count:1 block|# blocks} in main memory", ""),
    "drawing.held": ("{card} has no room to draw with the model as it is: {how:list}.", ""),
    "drawing.too-large": (
        "Drawing takes about {needed:bytes}, and {card} has {usable:bytes} for it: it may run out of memory.",
        "Make smaller images, close other programs, or set {general.device} to cpu."),
    "check.no-such-card": ('"{card}" is no graphics card that Seachange knows.', "Known are {names:list}."),
}
