"""Allowances that several processes spend from together, counted in the shared store; strict, and never open."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from sextant.errors import StoreAway
from sextant.kit.bus import Bus, Word

PARTS: Final = 20
"""Pieces of a window that are counted each: what was spent leaves at most a twentieth of the window late, never early."""

_SCRIPT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local longest, lost, replaced, used = 0, 0, 0, 0
for place, key in ipairs(KEYS) do
  local at = (place - 1) * 6
  local weight, ceiling = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local window, own, drain = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6])
  local kind = redis.call('TYPE', key)['ok']
  if kind ~= 'hash' and kind ~= 'none' then
    redis.call('DEL', key)
    replaced = replaced + 1
  end
  local fields = redis.call('HGETALL', key)
  local held, spent, wait = 0, 0, 0
  if ARGV[at + 1] == 'd' then
    local level, seen = 0, now
    for each = 1, #fields, 2 do
      local value = tonumber(fields[each + 1])
      if value and fields[each] == 'level' then level = value end
      if value and fields[each] == 'at' then seen = value end
    end
    spent = math.max(0, level - math.max(0, now - seen) * drain)
    held = spent + drain * 1000
    if own > held then
      lost, spent = 1, own
    end
    wait = math.max(0, spent + weight - ceiling) / drain
    redis.call('HSET', key, 'level', spent, 'at', now)
  else
    local size = window / PARTS
    local current = math.floor(now / size)
    local pieces = {}
    for each = 1, #fields, 2 do
      local piece, value = tonumber(fields[each]), tonumber(fields[each + 1])
      if not piece or not value or value < 0 or piece > current + 1 then
        redis.call('HDEL', key, fields[each])
        replaced = replaced + 1
      elseif piece <= current - 2 * PARTS then
        redis.call('HDEL', key, fields[each])
      else
        held = held + value
        if piece >= current - PARTS then
          spent = spent + value
          pieces[#pieces + 1] = {piece, value}
        end
      end
    end
    if own > held + 0.000001 then
      redis.call('HINCRBYFLOAT', key, tostring(current), own - held)
      lost, spent = 1, spent + own - held
    end
    local excess = spent + weight - ceiling
    if excess > 0 then
      table.sort(pieces, function(one, other) return one[1] < other[1] end)
      wait = window
      for _, entry in ipairs(pieces) do
        excess = excess - entry[2]
        if excess <= 0.000000001 then
          wait = math.max(1, (entry[1] + PARTS + 1) * size - now)
          break
        end
      end
    end
  end
  if weight > ceiling then wait = 1e15 end
  longest, used = math.max(longest, wait), math.max(used, spent)
end
if longest == 0 and lost == 0 then
  for place, key in ipairs(KEYS) do
    local at = (place - 1) * 6
    local weight, window = ARGV[at + 2], tonumber(ARGV[at + 4])
    if ARGV[at + 1] == 'd' then
      redis.call('HINCRBYFLOAT', key, 'level', weight)
    else
      redis.call('HINCRBYFLOAT', key, tostring(math.floor(now / (window / PARTS))), weight)
    end
  end
end
for place, key in ipairs(KEYS) do
  redis.call('PEXPIRE', key, math.ceil(tonumber(ARGV[(place - 1) * 6 + 4]) * 2.1) + 1000)
end
return {tostring(longest), lost, replaced, tostring(used)}
""".replace("PARTS", str(PARTS))

_NEVER_MS: Final = 1e14


class Allowance(msgspec.Struct, frozen=True):
    """What is to be spent of one allowance.

    Parameters
    ----------
    name
        Of the allowance and its holder; only its digest leaves the process.
    weight, ceiling
        What is spent, and what may be spent in any window, or the level that may be reached.
    window_s
        Length of the window; of a counter that drains the seconds from ``most`` to 0.
    own
        What this process knows to have spent itself and not to have left the window yet.
    drain_per_s
        How fast a counter drains; 0 for a window.
    """

    name: str
    weight: float
    ceiling: float
    window_s: float
    own: float
    drain_per_s: float = 0.0


class Spent(msgspec.Struct, frozen=True):
    """Whether it was spent.

    Parameters
    ----------
    wait_s
        0 when everything was spent; else seconds until it may fit, infinity for never, and nothing was.
    used
        What had been spent before by all together, of the fullest allowance.
    lost
        The store knew less than this process alone has spent: it was emptied or evicted what it held, and what other
        processes have spent is unknown. It has been told what this one spent, and nothing more was spent; whoever asked
        goes by its own share until what is unknown has left the window.
    """

    wait_s: float
    used: float
    lost: bool


class SharedLimits:
    """Spends from allowances together with other processes.

    Parameters
    ----------
    bus
        The store.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def spend(self, allowances: Sequence[Allowance]) -> Spent:
        """Whether everything was spent, all or nothing, in one step.

        Raises
        ------
        StoreAway
            If the store did not answer; whoever asked goes by its own share.
        """
        keys = [f"sextant:limit:{_digest(one.name)}" for one in allowances]
        arguments: list[Word] = []
        for one in allowances:
            kind = "d" if one.drain_per_s > 0 else "w"
            arguments += [kind, one.weight, one.ceiling, one.window_s * 1000, one.own, one.drain_per_s / 1000]
        answer = await self._bus.script(_SCRIPT, keys, arguments)
        try:
            wait_ms, lost, replaced, used = (
                float(answer[0]),
                bool(answer[1]),
                int(answer[2]),
                float(answer[3]),
            )
        except (TypeError, ValueError, IndexError):
            raise StoreAway(
                "The shared store answered what no script of ours says.", reason="garbage"
            ) from None
        if replaced:
            self._bus.miss("limits")
        return Spent(wait_ms / 1000 if wait_ms < _NEVER_MS else float("inf"), used, lost)


def _digest(name: str) -> str:
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
