/** What an address asks for: `?from=…&to=…&camera=a&camera=b`. Where it says nothing, the last ten whole minutes. */

const TEN_MINUTES_MS = 600_000

export interface Asked {
  cameras: string[]
  fromMs: number
  toMs: number
}

export function asked(query: URLSearchParams, nowMs: number): Asked {
  const [from, to] = [Date.parse(query.get('from') ?? ''), Date.parse(query.get('to') ?? '')]
  const known = !Number.isNaN(from) && !Number.isNaN(to) && from < to
  const end = Math.floor(nowMs / 60_000) * 60_000
  return {
    cameras: query.getAll('camera').flatMap((each) => each.split(',')).filter(Boolean),
    fromMs: known ? from : end - TEN_MINUTES_MS,
    toMs: known ? to : end,
  }
}
