"""Makes the golden values anew: ./dev golden [NAME...], all of them if none is named.

Every module beside this one that has make(folder) writes the file of its name. TensorFlow says on the way what it was built
for; a module takes some seconds.
"""
import importlib
import os
import sys

from golden import here

# What the others share has no make().
SHARED = ('golden', 'make', 'nn_golden', 'ops_golden')

there = sorted(f[:-3] for f in os.listdir(here()) if f.endswith('.py') and f[:-3] not in SHARED)
names = sys.argv[1:] or there
unknown = [name for name in names if name not in there]
if unknown:
    sys.exit(f'There is no {", ".join(unknown)}; there are {", ".join(there)}')
for name in names:
    importlib.import_module(name).make(here())
