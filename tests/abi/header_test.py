#!/usr/bin/env python3
"""Every MPI_ function of mpi.h is there as PMPI_ with the same parameters, and the
reverse; every _c form stands beside an int form; with the header given."""
import re
import sys

text = re.sub(r'/\*.*?\*/|^#.*?$', '', open(sys.argv[1]).read(), flags=re.S | re.M)
text = re.sub(r'\s+', ' ', text)
declarations = [d.strip() for d in text.split(';')]
functions = {}
for declaration in declarations:
    match = re.match(r'(int|double|MPI_\w+) (P?MPI_\w+)\((.*)\)$', declaration)
    if match:
        functions[match[2]] = (match[1], match[3])
wrong = []
for name, declared in functions.items():
    other = name[1:] if name.startswith('P') else 'P' + name
    if functions.get(other) != declared:
        wrong.append(f'{name} and {other} differ, or one is missing')
    if name.endswith('_c') and name[:-2] not in functions:
        wrong.append(f'{name} has no int form')
wrong += [f'not understood by this test: {d}' for d in declarations
          if '(' in d and not d.startswith('typedef') and re.search(r'\bP?MPI_\w+\(', d)
          and not re.match(r'(int|double|MPI_\w+) P?MPI_\w+\(', d)]
print(f'{len(functions)} functions', *wrong, sep='\n')
sys.exit(bool(wrong) or len(functions) < 200)
