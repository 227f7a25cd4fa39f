"""Which settings the program reads: attributes of what is known to be a section, followed through its source.

A word alone says nothing: `.path` and `.layers` belong to a dozen other things. So the sections that a name may hold
are taken from annotations, assignments, loops and what functions return. Containers are passed over: a tuple of
concepts counts as a concept. Where several sections are possible, all count.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, get_args

from modules.preset.preset import Preset
from modules.preset.setting import Section

Sections = frozenset[type[Section]]
NOTHING: Sections = frozenset()
LAMBDA = "lambda"  # among the names of a scope: what functions without annotations may be given
ROUNDS = 2  # a name may get its section from another that gets it further down
AROUND = (ast.Subscript, ast.IfExp, ast.BoolOp, ast.Starred, ast.Tuple, ast.List, ast.NamedExpr)
INNER = (ast.FunctionDef, ast.ClassDef, ast.Lambda)
BINDING = (ast.AnnAssign, ast.Assign, ast.NamedExpr, ast.For, ast.comprehension, ast.Call)
TELLING = (*INNER, *BINDING, ast.Attribute)


@cache
def inside(annotation: Any) -> Sections:
    """All sections that a type names, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return frozenset({annotation})
    return frozenset().union(*(inside(part) for part in get_args(annotation)))


def of_a_preset(section: type[Section] = Preset) -> Iterator[type[Section]]:
    """A section and all that it holds."""
    yield section
    for field in section.model_fields.values():
        for inner in inside(field.annotation):
            yield from of_a_preset(inner)


@cache
def below(section: type[Section]) -> tuple[type[Section], ...]:
    """The sections that are made from this one, at any depth."""
    direct = section.__subclasses__()
    return tuple(dict.fromkeys([*direct, *(kind for one in direct for kind in below(one))]))


def settings_of(section: type[Section]) -> list[str]:
    return [name for name, field in section.model_fields.items() if field.title and not inside(field.annotation)]


class Reads:
    """The settings that are read in some files."""

    def __init__(self, trees: Iterable[ast.Module]) -> None:
        self.found: set[tuple[type[Section], str]] = set()
        self._named: dict[str, Sections] = {"AnyMethod": inside(Preset.model_fields["method"].annotation)}
        for section in of_a_preset():
            for base in section.__mro__:
                if issubclass(base, Section) and base is not Section:
                    self._named[base.__name__] = self._named.get(base.__name__, NOTHING) | {base}
        self._members: dict[str, Sections] = defaultdict(lambda: NOTHING)  # of any class: attributes and results
        self._own: dict[ast.AST, list[ast.AST]] = {}
        trees = list(trees)
        for _ in range(ROUNDS):
            for tree in trees:
                self._scope(tree, {}, self._names_in(tree))

    def _names_in(self, tree: ast.Module) -> dict[str, Sections]:
        """Sections by the names of a file, where it imports them by another."""
        held = dict(self._named)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                held |= {a.asname: held[a.name] for a in node.names if a.asname and a.name in held}
        return held

    def _scope(self, scope: ast.AST, env: dict[str, Sections], names: dict[str, Sections]) -> None:
        """Follow one function, class or file; `env`: what the names around it hold."""
        env = defaultdict(lambda: NOTHING, env)
        own = self._own.get(scope) or self._own.setdefault(scope, list(_own_nodes(scope)))
        for _ in range(ROUNDS):
            for node in own:
                if isinstance(node, ast.AnnAssign):  # of a table of functions, what they are given
                    env[LAMBDA] |= self._meant(node.annotation, names)
                self._learn(node, env, names, isinstance(scope, ast.ClassDef))
        for node in own:
            if isinstance(node, ast.Attribute):
                self._note(self._of(node.value, env), node.attr)
            elif isinstance(node, INNER):
                self._scope(node, self._entered(node, scope, env, names), names)

    def _entered(self, node: Any, scope: ast.AST, env: dict[str, Sections], names: dict[str, Sections]) -> Any:
        """The names of a function, with its arguments; a method's `self` is its class."""
        if isinstance(node, ast.ClassDef):
            return env
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        held = {a.arg: self._meant(a.annotation, names) for a in arguments}
        if isinstance(node, ast.Lambda):
            held = dict.fromkeys(held, env[LAMBDA])
        if isinstance(scope, ast.ClassDef) and arguments:
            held[arguments[0].arg] = names.get(scope.name, NOTHING)
        if isinstance(node, ast.FunctionDef):
            self._members[node.name] |= self._meant(node.returns, names)
        return {**env, **held}

    def _learn(self, node: ast.AST, env: dict[str, Sections], names: dict[str, Sections], in_class: bool) -> None:
        if isinstance(node, ast.AnnAssign):
            self._bind_all(node.target, self._meant(node.annotation, names), env)
            if in_class and isinstance(node.target, ast.Name):
                self._members[node.target.id] |= self._meant(node.annotation, names)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self._bind(target, node.value, env)
        elif isinstance(node, ast.NamedExpr):
            self._bind(node.target, node.value, env)
        elif isinstance(node, ast.For | ast.comprehension):
            self._bind(node.target, node.iter, env)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            self._bind_all(node.args[0], self._meant(node.args[1], names), env)

    def _bind(self, target: ast.expr, value: ast.expr, env: dict[str, Sections]) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for one, other in zip(target.elts, value.elts, strict=True):
                self._bind(one, other, env)
        else:
            self._bind_all(target, self._of(value, env), env)

    def _bind_all(self, target: ast.expr, sections: Sections, env: dict[str, Sections]) -> None:
        if isinstance(target, ast.Name):
            env[target.id] |= sections
        elif isinstance(target, ast.Attribute):
            self._members[target.attr] |= sections
        elif isinstance(target, ast.Tuple):
            for part in target.elts:
                self._bind_all(part, sections, env)

    def _meant(self, annotation: ast.expr | None, names: dict[str, Sections]) -> Sections:
        """The sections that an annotation names."""
        words = [node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)] if annotation else []
        return frozenset().union(*(names.get(word, NOTHING) for word in words))

    def _of(self, node: ast.expr | None, env: dict[str, Sections]) -> Sections:
        """The sections that an expression may be."""
        if isinstance(node, ast.Name):
            return env[node.id]
        if isinstance(node, ast.Attribute):
            return self._attribute(self._of(node.value, env), node.attr)
        if isinstance(node, ast.Call):
            return self._called(node, env)
        if isinstance(node, ast.GeneratorExp | ast.ListComp | ast.SetComp):
            return self._of(node.elt, env)
        parts = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)] if node else []
        return frozenset().union(*(self._of(part, env) for part in parts)) if isinstance(node, AROUND) else NOTHING

    def _attribute(self, owners: Sections, name: str) -> Sections:
        fields = [owner.model_fields[name].annotation for owner in owners if name in owner.model_fields]
        return frozenset().union(*map(inside, fields)) if fields else self._members[name]

    def _called(self, call: ast.Call, env: dict[str, Sections]) -> Sections:
        name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
        if name == "getattr":
            return self._by_name(self._of(call.args[0], env), call.args[1])
        if name == "model_copy" and isinstance(call.func, ast.Attribute):
            return self._of(call.func.value, env)
        if name in {"enumerate", "zip", "sorted", "list", "tuple", "reversed", "next", "max", "min", "iter"}:
            return frozenset().union(*(self._of(part, env) for part in call.args))
        return self._members[name]

    def _by_name(self, owners: Sections, name: ast.expr) -> Sections:
        """`getattr`: of a word that stands there that setting, else any section that the owner holds."""
        if isinstance(name, ast.Constant):
            self._note(owners, str(name.value))
            return self._attribute(owners, str(name.value))
        fields = [field.annotation for owner in owners for field in owner.model_fields.values()]
        return frozenset().union(*map(inside, fields))

    def _note(self, owners: Sections, name: str) -> None:
        """A section, or one of those that it may be in truth, is asked for this setting."""
        for owner in owners:
            self.found |= {(kind, name) for kind in (owner, *below(owner)) if name in kind.model_fields}

    def __contains__(self, setting: tuple[type[Section], str]) -> bool:
        """Whether it is read: of its section, of one above it, or of one below it."""
        section, name = setting
        return any(
            name == other and (issubclass(section, owner) or issubclass(owner, section)) for owner, other in self.found
        )


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """What stands in a scope and may say something, but not in the functions and classes inside it."""
    left = [*ast.iter_child_nodes(scope)][::-1]
    while left:
        node = left.pop()
        if isinstance(node, TELLING):
            yield node
        if not isinstance(node, INNER):
            left += [*ast.iter_child_nodes(node)][::-1]
