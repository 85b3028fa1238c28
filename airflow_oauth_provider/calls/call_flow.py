"""What follows the first response of a call, for every HTTP library: its flow, and the token beside it."""

from __future__ import annotations

import time
from typing import NamedTuple

from airflow_oauth_provider.calls import cool_down
from airflow_oauth_provider.calls.access import BearerAuth
from airflow_oauth_provider.exceptions import ResourceError
from airflow_oauth_provider.protocol.call.effects import (
    RenewToken,
    ReportCoolDown,
    ReportRefusal,
    ResponseHead,
    SendCall,
)
from airflow_oauth_provider.protocol.call.protected_call import Effect, advance, protected_call
from airflow_oauth_provider.protocol.dpop.proof import DPOP
from airflow_oauth_provider.protocol.private_token import PrivateToken
from airflow_oauth_provider.tokens import AccessToken


class Credential(NamedTuple):
    """What an error says of the token that a refused call carried.

    :param new: it was granted for this very call.
    :param refusal_remembered: it was not renewed, since this API refuses new ones, too.
    """

    new: bool
    refusal_remembered: bool


class CallFlow:
    """A call that has been sent, and may have to be sent again.

    The driver sends what :meth:`next_call` returns, until that is ``None``.

    :param call: that has just been sent; then the one to be sent next.
    :param token: it carries.
    :param replayable: its body can be sent again.
    """

    __slots__ = ("_auth", "_flow", "_refusal_remembered", "call", "token")

    def __init__(
        self,
        auth: BearerAuth,
        call: SendCall,
        token: AccessToken,
        *,
        replayable: bool,
        follow_redirects: bool = True,
    ) -> None:
        self._auth = auth
        self.call = call
        self._refusal_remembered = False
        self.token = token
        self._flow = protected_call(
            call.method,
            call.url,
            auth.destination_for(token),
            refresh_on_status=auth.refresh_on_status,
            replayable=replayable,
            follow_redirects=follow_redirects,
            proves=token.token_type == DPOP,
            cool_down_on=auth.cool_down_on,
        )
        next(self._flow)

    def next_call(
        self, head: ResponseHead, *, carried: bool = True, proof_used_before: bool = False
    ) -> SendCall | None:
        """Return the call to make after a response; ``None`` when that is the result.

        :param carried: whether the request had the token on it: without, that is not to blame.
        :param proof_used_before: whether an earlier request had the same proof.
        """
        client, effect = (
            self._auth.client,
            self._begin(head, carried=carried, proof_used_before=proof_used_before),
        )
        while effect is not None and not isinstance(effect, SendCall):
            renewed = None
            if isinstance(effect, ReportCoolDown):
                cool_down.report(self._auth, effect)
            elif isinstance(effect, ReportRefusal):
                client.refused_again(self.token, effect.origin)
            else:
                renewed = client.renew(self.token, effect.origin) if carried else self.token
            effect = self._advance(effect, renewed)
        return self._followed(effect, head)

    async def anext_call(self, head: ResponseHead) -> SendCall | None:
        """Do what :meth:`next_call` does."""
        client, effect = self._auth.client, self._begin(head)
        while effect is not None and not isinstance(effect, SendCall):
            renewed = None
            if isinstance(effect, ReportCoolDown):
                await cool_down.areport(self._auth, effect)
            elif isinstance(effect, ReportRefusal):
                await client.arefused_again(self.token, effect.origin)
            else:
                renewed = await client.arenew(self.token, effect.origin)
            effect = self._advance(effect, renewed)
        return self._followed(effect, head)

    def _begin(
        self, head: ResponseHead, *, carried: bool = True, proof_used_before: bool = False
    ) -> Effect | None:
        """Hand a response to the flow, with what it says of the proof that its call carried."""
        if carried and self.call.trusted and self.token.token_type == DPOP:
            head = self._auth.proofs.learn(self.call, head, used_before=proof_used_before)
        return advance(self._flow, head)

    def _followed(self, effect: SendCall | None, head: ResponseHead) -> SendCall | None:
        if effect is not None:
            if effect.trusted:  # by the connection as it was: a renewal may have found it edited
                self._auth.require_still_allowed(effect.url, self.token)
            self.call = effect
        elif 200 <= head.status < 300 and self.call.trusted and not head.tells_dead_token:
            self._auth.note_accepted(self.token, self.call.url)
        elif self.call.trusted:
            self._auth.note_answered(self.call.url)
        return effect

    def credential(self, started: float) -> Credential:
        """Return what an error says of the token.

        :param started: monotonic seconds at which the call began.
        """
        began_at = time.time() - (time.monotonic() - started)
        return Credential(self.token.issued_at >= began_at, self._refusal_remembered)

    def _advance(self, effect: Effect, renewed: AccessToken | None) -> Effect | None:
        self._refusal_remembered = renewed is None and isinstance(effect, RenewToken)
        if renewed is not None:
            _require_same_api(self.token, renewed)
        self.token = renewed or self.token
        return advance(self._flow, renewed is not None)


def _require_same_api(refused: AccessToken, renewed: AccessToken) -> None:
    """Refuse to repeat a call at the API of the token before, where the new one names another.

    :raises ResourceError: then.
    """
    if not isinstance(refused, PrivateToken) or not isinstance(renewed, PrivateToken):
        return
    if renewed.instance_url != refused.instance_url:
        raise ResourceError(
            "the API refused the token, and the new one names another instance_url: this call was not sent "
            "there; run the task again",
            retryable=True,
        )
