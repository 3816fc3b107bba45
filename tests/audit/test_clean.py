"""Clean sets are silent, whoever wrote them; what other readers find in them is what is read."""

import pytest
from labelled_sets import SETS

from aistudio.audit import Options, audit


@pytest.mark.parametrize("name", SETS)
def test_a_clean_set_has_no_findings(name, tmp_path):
    write, kind, task = SETS[name]
    write(tmp_path)
    found = audit(Options(str(tmp_path), kind, task))
    assert [(fault.kind, str(fault.place), fault.message) for one in found.findings for fault in one.faults] == []
    assert found.images == found.decoded > 10
