#!/usr/bin/env python3
"""Every MPI_ function of mpi.h and its parts is there as PMPI_ with the same
parameters, and the reverse; every _c form stands beside an int form; with the
headers given. mpi_profiling.h declares by type: __typeof__(MPI_x) PMPI_x."""
import re
import sys

functions, wrong = {}, []


def read(path):
    text = re.sub(r'/\*.*?\*/|^#.*?$', '', open(path).read(), flags=re.S | re.M)
    text = re.sub(r'PEAL_REPLACED_BY\("\w+"\)', '', text)
    for declaration in re.sub(r'\s+', ' ', text).split(';'):
        declaration = declaration.replace('extern "C" {', '').strip()
        same = re.match(r'extern __typeof__\((MPI_\w+)\) (PMPI_\w+)$', declaration)
        match = re.match(r'(int|double|MPI_\w+) (P?MPI_\w+)\((.*)\)$', declaration)
        if same:
            add(same[2], functions.get(same[1]))
        elif match:
            add(match[2], (match[1], match[3]))
        elif not declaration.startswith('typedef') and re.search(r'\bP?MPI_\w+[ )]*\(', declaration):
            wrong.append(f'not understood by this test: {declaration}')


def add(name, declared):
    if name in functions:
        wrong.append(f'{name} is declared twice')
    functions[name] = declared


for header in sys.argv[1:]:
    read(header)
for name, declared in functions.items():
    other = name[1:] if name.startswith('P') else 'P' + name
    if declared is None or functions.get(other) != declared:
        wrong.append(f'{name} and {other} differ, or one is missing')
    if name.endswith('_c') and name[:-2] not in functions:
        wrong.append(f'{name} has no int form')
print(f'{len(functions)} functions', *wrong, sep='\n')
sys.exit(bool(wrong) or len(functions) < 1200)
