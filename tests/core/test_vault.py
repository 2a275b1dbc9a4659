"""Sealed values open only where they were sealed, unaltered, with the keys that are held."""

import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.vault import SealBroken, Vault

CONTEXT = "persons.name"


def new_vault(*kids: str) -> Vault:
    return Vault({kid: secrets.token_bytes(32) for kid in kids or ("m1",)}, (kids or ("m1",))[0], bytes(32))


@given(st.text())
@settings(max_examples=100, deadline=None)
def test_what_was_sealed_opens_again(plain: str) -> None:
    vault = new_vault()
    key, wrapped = vault.new_key()
    encodable = plain.encode("utf-8", "ignore").decode()
    assert vault.unwrap(wrapped).unseal(key.seal(encodable, context=CONTEXT), context=CONTEXT) == encodable


def test_two_seals_of_one_text_differ_and_show_nothing() -> None:
    key, wrapped = new_vault().new_key()
    first, second = (key.seal("张测试", context=CONTEXT) for _ in range(2))
    assert first != second
    assert "张测试".encode() not in first + wrapped
    assert key._secret not in wrapped


def test_a_value_opens_in_no_other_column() -> None:
    key, _ = new_vault().new_key()
    with pytest.raises(SealBroken):
        key.unseal(key.seal("张测试", context=CONTEXT), context="persons.phone")


def test_a_value_opens_with_no_other_persons_key() -> None:
    vault = new_vault()
    (mine, _), (other, _) = vault.new_key(), vault.new_key()
    with pytest.raises(SealBroken):
        other.unseal(mine.seal("张测试", context=CONTEXT), context=CONTEXT)


def test_every_flipped_bit_and_every_cut_of_a_value_is_noticed() -> None:
    key, _ = new_vault().new_key()
    sealed = key.seal("张", context=CONTEXT)
    for altered in alterations(sealed):
        with pytest.raises(SealBroken):
            key.unseal(altered, context=CONTEXT)


def test_every_flipped_bit_and_every_cut_of_a_wrapped_key_is_noticed() -> None:
    vault = new_vault("m1", "m2", "m3")
    _, wrapped = vault.new_key()
    for altered in alterations(wrapped):
        with pytest.raises(SealBroken):
            vault.unwrap(altered)


def test_a_wrapped_key_cannot_be_passed_off_as_another_master_keys() -> None:
    same = secrets.token_bytes(32)
    vault = Vault({"m1": same, "m2": same}, "m1", bytes(32))
    _, wrapped = vault.new_key()
    with pytest.raises(SealBroken):
        vault.unwrap(wrapped.replace(b"m1", b"m2", 1))


def test_another_installations_master_key_opens_nothing() -> None:
    _, wrapped = new_vault().new_key()
    with pytest.raises(SealBroken):
        new_vault().unwrap(wrapped)
    with pytest.raises(SealBroken, match="not held"):
        new_vault("m9").unwrap(wrapped)


def test_after_rotation_old_values_open_and_new_keys_are_wrapped_by_the_new_master_key() -> None:
    old = new_vault("m1")
    key, wrapped = old.new_key()
    sealed = key.seal("张测试", context=CONTEXT)
    rotated = Vault({"m2": secrets.token_bytes(32)} | old.master_keys, "m2", old.index_key)
    assert rotated.unwrap(wrapped).unseal(sealed, context=CONTEXT) == "张测试"
    _, newer = rotated.new_key()
    with pytest.raises(SealBroken, match="not held"):
        old.unwrap(newer)


def test_a_blind_index_finds_equal_values_and_needs_its_key() -> None:
    vault = new_vault()
    index = vault.blind_index("01:11010519491231002X", context="a")
    assert index == vault.blind_index("01:11010519491231002X", context="a")
    assert len(index) == 32
    others = {
        vault.blind_index("01:11010519491231002X", context="b"),
        vault.blind_index("01:440524188001010014", context="a"),
        Vault(vault.master_keys, "m1", secrets.token_bytes(32)).blind_index("01:11010519491231002X", context="a"),
    }
    assert len(others | {index}) == 4


def alterations(sealed: bytes) -> list[bytes]:
    flipped = [
        sealed[:place] + bytes([sealed[place] ^ (1 << bit)]) + sealed[place + 1 :]
        for place in range(len(sealed))
        for bit in range(8)
    ]
    return [*flipped, *(sealed[:length] for length in range(len(sealed))), sealed + b"\0"]
