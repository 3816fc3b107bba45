"""What ``${…}`` in a configuration may ask for: other values, environment variables, and no other resolver.

A resolver is a function, and some of them make containers and read text anew (``oc.create``, ``oc.decode``). Text is
read with OmegaConf's own grammar, so that nothing is called that was not seen here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from antlr4 import ParserRuleContext
from omegaconf.errors import OmegaConfBaseException
from omegaconf.grammar.gen.OmegaConfGrammarParser import OmegaConfGrammarParser
from omegaconf.grammar_parser import parse

from aistudio.errors import Problem

RESOLVERS = ("oc.env", "oc.select")
WHY = "resolvers are code; a configuration may ask for other values and for environment variables"
_INSTEAD = "${section.key}, ${oc.select:section.key,default} or ${oc.env:NAME,default}"
_CONTAINERS = (OmegaConfGrammarParser.ListContainerContext, OmegaConfGrammarParser.DictContainerContext)


def resolver_problems(unresolved: Any) -> Iterator[Problem]:
    """A problem for every ``${…}`` in plain containers that asks for more than it may."""
    for key, text in texts(unresolved):
        if "${" in text and ":" in text:  # without a colon it asks for other values of the configuration
            for fault in dict.fromkeys(faults(text)):
                yield Problem(f"{key} {fault}", WHY, key, _INSTEAD)


def left_over_problems(resolved: Any) -> Iterator[Problem]:
    """A problem for every text that still holds ``${`` once all was resolved: nothing is interpreted twice."""
    for key, text in texts(resolved):
        if "${" in text:
            yield Problem(f"{key} holds ${{ after it was resolved", "nothing is interpreted twice", key, _INSTEAD)


def texts(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The dotted keys and the values of all texts in plain containers."""
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from texts(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from texts(value, f"{path}[{index}]")


def faults(text: str) -> Iterator[str]:
    """What a text asks for that it may not."""
    try:
        waiting: list[Any] = [parse(text)]
    except (OmegaConfBaseException, RecursionError):
        yield "cannot be read"
        return
    while waiting:
        node = waiting.pop()
        if isinstance(node, OmegaConfGrammarParser.ResolverNameContext):
            name = node.getText()
            if name not in RESOLVERS:
                yield f"asks for the resolver {name}"
        if isinstance(node, _CONTAINERS):
            yield "makes a list or a mapping inside ${…}"
        if isinstance(node, ParserRuleContext):
            waiting += node.getChildren()
