"""What `bnfhmc check` says: a problem as understood, solved, its gradient compared, and its run foretold."""

from bnfhmc.report.check.examine import Section, examine
from bnfhmc.report.check.record import examined, to_json
from bnfhmc.report.check.tables import print_section

__all__ = ["Section", "examine", "examined", "print_section", "to_json"]
