"""What each piece of evidence weighs, and from which sum on an operator looks (docs/adr/0014).

After Fellegi and Sunter (A Theory for Record Linkage, JASA 64, 1969): a weight is about the binary logarithm of how
much likelier the evidence is when two records are one person's than when they are not, rounded, and pulled down where
pieces depend on each other (families share telephones). Of 4.7 million people about 160 share a birth date.
"""

from collections.abc import Iterable

WEIGHTS = {
    # Names: the first that fits counts.
    "name_same": 9,
    "name_variant": 8,  # the same in simplified characters
    "name_pinyin": 5,  # read alike
    "former_name": 5,  # read as the other record's name once was
    "name_near": 3,  # one character of three or more differs
    "name_differs": -6,
    # Birth dates, when both are known.
    "birth_same": 8,
    "birth_swapped": 5,  # day and month the other way round
    "birth_near": 4,  # one digit differs
    "birth_differs": -8,
    "sex_same": 1,
    "sex_differs": -5,
    "phone_same": 5,
    "former_phone": 3,
    # Certificates.
    "certificate_same_number": 14,  # under two types
    "certificate_near": 9,  # one digit, or two neighbours swapped; counts only with the name
    "resident_ids_differ": -9,
    "same_guardian": 5,  # one login holds both as a child, and one has no certificate
    # Somebody says so: always looked at.
    "certificate_claimed": 30,  # a desk met the certificate of one record in the hands of the other
    "patient_number_claimed": 30,  # a hospital says that both are one patient
}

CLAIMS = frozenset({"certificate_claimed", "patient_number_claimed"})
REVIEW_THRESHOLD = 13


def score(evidence: Iterable[str]) -> int:
    """The sum of the weights."""
    return sum(WEIGHTS[code] for code in evidence)
