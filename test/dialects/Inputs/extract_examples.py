"""Prints the ```mlir examples of the ODS files as one input of fk-opt
--split-input-file. Fails where an op has no example, or one that does not use it.

An example may use values that nothing defines: they get a definition of the type
the example gives them (`%x : type`, or the op's functional type).
"""

import pathlib
import re
import sys


def split_types(text):
    """The types of a comma-separated list, commas inside <> and () aside."""
    types, depth, current = [], 0, ""
    for char in text:
        depth += char in "<("
        depth -= char in ">)"
        if char == "," and depth == 0:
            types.append(current.strip())
            current = ""
        else:
            current += char
    return types + [current.strip()] if current.strip() else types


def find_undefined(example):
    """The types of the values an example uses and does not define."""
    if "func.func" in example:
        return {}
    types = dict(re.findall(r"(%\w+) : (\w+<[^>]*>)", example))
    functional = re.search(r"fk\.\w+ ((?:%\w+(?:, )?)+).* : \((.*)\) -> ", example, re.S)
    if functional:
        operands = functional[1].split(", ")
        types |= zip((name.strip() for name in operands), split_types(functional[2]))
    return types


def main():
    chunks = []
    for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.td")):
        text = path.read_text()
        # `def A : Class<"name", ...>;` has its example in the class.
        for op in re.finditer(r"^def \w+ : (FK\w*_\w*Op)<\"(\w+)\"(?:[^{]*?>;$|(.*?)^\})",
                              text, re.S | re.M):
            kind, name, body = op.groups()
            if body is None:
                body = re.search(rf"^class {kind}<(.*?)^\}}", text, re.S | re.M)[1]
                body = body.replace("}] # mnemonic # [{", name)
            examples = re.findall(r"```mlir\n(.*?)```", body, re.S)
            dialect = "fkplan" if kind.startswith("FKPlan") else "fk"
            if not any(f"{dialect}.{name} " in example for example in examples):
                sys.exit(f"{path}: {dialect}.{name} has no example")
            for example in examples:
                defined = "".join(f'{value} = "test.def"() : () -> {kind}\n'
                                  for value, kind in find_undefined(example).items())
                chunks.append(f"// {dialect}.{name}\n{defined}{example}")
    print("// -----\n".join(chunks))


main()
