"""Which target next: order, retry, fallback, health and keys. Decides only; does no I/O and knows no vendor."""

from .call import Result, Terms, Try, Wait, run
from .health import Health
from .keys import KeyRing
from .order import Candidate, arrange

__all__ = ["Candidate", "Health", "KeyRing", "Result", "Terms", "Try", "Wait", "arrange", "run"]
