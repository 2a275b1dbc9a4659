"""A result in the unit of its item."""

import math
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

from records.items import ucum

# Of a number that had to be converted, so many figures stay however few decimals its item has.
_FEWEST_FIGURES = 3
_ROOMY = Context(prec=80)


def convert(
    value: Decimal,
    *,
    unit: str | None,
    unit_code: str | None,
    wanted: str,
    decimals: int,
    molar_mass: Decimal | None,
) -> Decimal | None:
    """The number in the wanted unit; None when it measures something else, or its unit is not understood.

    A number that is in the wanted unit already stays as it was sent, digit for digit.

    :param unit: as the hospital writes it; ``unit_code``: the UCUM code, where it says one.
    :param wanted: UCUM.
    :param decimals: of a converted number.
    :param molar_mass: grams a mole, for what may be converted between mass and amount of substance.
    """
    factor = _find_factor(unit, unit_code, wanted, Fraction(molar_mass) if molar_mass else None)
    if factor is None or factor == 1:
        return value if factor else None
    exact = Fraction(value) * factor
    places = decimals
    if exact:
        places = max(decimals, _FEWEST_FIGURES - 1 - math.floor(math.log10(abs(exact))))
    numerator, denominator = Decimal(exact.numerator), Decimal(exact.denominator)
    return _ROOMY.divide(numerator, denominator).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, _ROOMY)


def _find_factor(unit: str | None, unit_code: str | None, wanted: str, molar_mass: Fraction | None) -> Fraction | None:
    if not unit and not unit_code:
        # Ratios and pH are written without a unit; for everything else a number alone says nothing.
        return Fraction(1) if wanted in {"1", "[pH]"} else None
    for given in _list_units(unit, unit_code):
        factor = ucum.find_factor(given, wanted, molar_mass=molar_mass)
        if factor is not None:
            return factor
    return None


def _list_units(unit: str | None, unit_code: str | None) -> list[str]:
    """What the hospital says in UCUM holds; what it only writes is read as people mean it."""
    if unit_code:
        try:
            ucum.read_unit(unit_code)
        except ValueError:
            return ucum.list_readings(unit or unit_code)
        return [unit_code]
    return ucum.list_readings(unit or "")
