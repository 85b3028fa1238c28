"""A token that is of use only to who can sign with the key that it is bound to (RFC 9449 §6)."""

from __future__ import annotations

from airflow_oauth_provider.protocol.access_token import AccessToken
from airflow_oauth_provider.protocol.client.keys import KeyMaterialError
from airflow_oauth_provider.protocol.dpop.proof import DPOP
from airflow_oauth_provider.protocol.dpop.proof_key import load_proof_key
from airflow_oauth_provider.protocol.private_token import accompanied
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ProofSettings


def with_key(token: AccessToken, proof: ProofSettings, own_key: Secret | None) -> AccessToken | None:
    """Return a token with the key that it is bound to; one that is bound to none as it is.

    :param own_key: the key that was made for it, if one was.
    :return: ``None`` for a token that is of no use to this client: its key is not there, or it is bound to
        one, or to none, against what the client asks for.
    """
    if (token.token_type == DPOP) is not proof.enabled:
        return None
    if not proof.enabled:
        return token
    material = proof.private_key or own_key
    if material is None:
        return None
    try:
        key = load_proof_key(material, proof.passphrase, proof.algorithm)
    except KeyMaterialError:
        return None
    return accompanied(token, proof_key=key, own_key=None if proof.private_key else own_key)
