"""How taking in what desks did without the network says no: to the whole queue, before anything of it is kept."""

from core.errors import Conflict, Invalid


class OfflineKeyInvalid(Invalid):
    code = "health_card.offline_key_invalid"
    title = "终端密钥格式不正确"
    detail = (
        "`key` must be the terminal's public JWK: OKP Ed25519 (EdDSA) or EC P-256 (ES256), without private members."
    )


class OfflineSignatureWrong(Invalid):
    code = "health_card.offline_signature_wrong"
    title = "离线记录签名无效"
    detail = "The signature of the entry named in `sequence` is not one of the terminal's key over its fields."


class OfflineChainBroken(Conflict):
    code = "health_card.offline_chain_broken"
    title = "离线记录不连续,可能缺失或被改动"
    detail = (
        "The entry named in `sequence` does not continue what was sent before: the next one must have number "
        "`expected_sequence` and name the digest of the one before it. Send everything from there on."
    )
