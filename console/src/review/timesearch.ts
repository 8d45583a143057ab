/**
 * A moment as a person types it: "yesterday 14:30", "mon 06:00", "10 min ago", "last night", in the language of the page
 * and in English. In the post's zone, across changes of its clock. Times come in; none are read. No I/O.
 */

import { offsetMs } from '../time'

export interface Moment {
  ms: number
  /** Where a stretch was named ("last night"): its end. */
  toMs: number | null
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

type Part = 'morning' | 'noon' | 'afternoon' | 'evening' | 'night' | 'midnight'

interface Words {
  now: string[]
  today: string[]
  yesterday: string[]
  before: string[]
  /** "last night" in one. */
  lastNight: string[]
  ago: string[]
  parts: Record<Part, string[]>
  units: { s: string[]; min: string[]; h: string[]; d: string[]; w: string[] }
  /** Said and not heard. */
  filler: string[]
}

const EN: Words = {
  now: ['now'], today: ['today', 'this'], yesterday: ['yesterday'], before: ['day before yesterday'], lastNight: ['last night'], ago: ['ago'],
  parts: { morning: ['morning'], noon: ['noon', 'midday'], afternoon: ['afternoon'], evening: ['evening', 'tonight'], night: ['night'], midnight: ['midnight'] },
  units: { s: ['s', 'sec', 'second', 'seconds'], min: ['m', 'min', 'mins', 'minute', 'minutes'], h: ['h', 'hr', 'hour', 'hours'], d: ['d', 'day', 'days'], w: ['week', 'weeks'] },
  filler: ['at', 'on', 'the', 'of', 'in', 'last', 'past', 'about', 'an', 'a'],
}

const WORDS: Record<string, Words> = {
  en: EN,
  fr: {
    now: ['maintenant'], today: ["aujourd'hui", 'aujourdhui', 'ce', 'cet'], yesterday: ['hier'], before: ['avant-hier', 'avant hier'],
    lastNight: ['cette nuit', 'la nuit derniere', 'hier nuit'], ago: ['il y a'],
    parts: { morning: ['matin', 'matinee'], noon: ['midi'], afternoon: ['apres-midi', 'apres midi'], evening: ['soir', 'soiree'], night: ['nuit'], midnight: ['minuit'] },
    units: { s: ['s', 'sec', 'seconde', 'secondes'], min: ['min', 'mn', 'minute', 'minutes'], h: ['h', 'heure', 'heures'], d: ['j', 'jour', 'jours'], w: ['semaine', 'semaines'] },
    filler: ['a', 'le', 'la', 'vers', 'dernier', 'derniere', 'du', 'de', 'une', 'un'],
  },
  es: {
    now: ['ahora'], today: ['hoy', 'esta', 'este'], yesterday: ['ayer'], before: ['anteayer', 'antes de ayer', 'antier'],
    lastNight: ['anoche'], ago: ['hace'],
    parts: { morning: ['manana', 'madrugada'], noon: ['mediodia'], afternoon: ['tarde'], evening: ['atardecer'], night: ['noche'], midnight: ['medianoche'] },
    units: { s: ['s', 'seg', 'segundo', 'segundos'], min: ['min', 'minuto', 'minutos'], h: ['h', 'hora', 'horas'], d: ['d', 'dia', 'dias'], w: ['semana', 'semanas'] },
    filler: ['a', 'las', 'la', 'el', 'los', 'por', 'de', 'pasado', 'pasada', 'un', 'una', 'en'],
  },
  sw: {
    now: ['sasa'], today: ['leo', 'hii'], yesterday: ['jana'], before: ['juzi'], lastNight: ['usiku wa jana', 'jana usiku', 'usiku uliopita'],
    ago: ['zilizopita', 'iliyopita', 'uliopita', 'yaliyopita'],
    parts: { morning: ['asubuhi', 'alfajiri'], noon: ['adhuhuri'], afternoon: ['mchana', 'alasiri'], evening: ['jioni'], night: ['usiku'], midnight: ['usiku wa manane'] },
    units: { s: ['sekunde'], min: ['dakika'], h: ['saa'], d: ['siku'], w: ['wiki'] },
    filler: ['ya', 'wa', 'saa', 'tarehe', 'kabla', 'moja'],
  },
}

const PART_AT: Record<Part, [number, number]> = {
  midnight: [0, 1], morning: [6, 12], noon: [12, 13], afternoon: [13, 18], evening: [18, 22], night: [20, 30],
}

function plain(text: string): string {
  return text.toLowerCase().normalize('NFD').replace(/\p{M}/gu, '').replaceAll('’', "'").replace(/[,;]/g, ' ').replace(/\s+/g, ' ').trim()
}

/** A local time of the zone as UTC. One that never was (clocks forward) is as much later; of one that was twice, the first. */
export function fromLocal(localMs: number, zone: string): number {
  const early = localMs - offsetMs(localMs - DAY, zone)
  if (early + offsetMs(early, zone) === localMs) return early
  const late = localMs - offsetMs(localMs + DAY, zone)
  if (late + offsetMs(late, zone) === localMs) return late
  return early
}

/** The same local time a second time, on the night the clocks go back; null on any other. */
export function again(ms: number, zone: string): number | null {
  for (const shift of [HOUR / 2, HOUR, 2 * HOUR]) if (ms + offsetMs(ms, zone) === ms + shift + offsetMs(ms + shift, zone)) return ms + shift
  return null
}

/** Midnight of the local day, as a local number (Date.UTC of its fields). */
function localDay(ms: number, zone: string): number {
  return Math.floor((ms + offsetMs(ms, zone)) / DAY) * DAY
}

function names(language: string, kind: 'weekday' | 'month'): string[][] {
  const count = kind === 'weekday' ? 7 : 12
  return Array.from({ length: count }, (_, n) => {
    // 2023-01-01 was a Sunday.
    const date = kind === 'weekday' ? new Date(Date.UTC(2023, 0, 1 + n)) : new Date(Date.UTC(2023, n, 15))
    return (['long', 'short'] as const).map((style) => plain(new Intl.DateTimeFormat(language, { [kind]: style, timeZone: 'UTC' }).format(date)).replaceAll('.', ''))
  })
}

/** The number of the only name that begins so; three letters at least. */
function named(text: string, language: string, kind: 'weekday' | 'month'): number | null {
  const word = text.replaceAll('.', '')
  if (word.length < 3) return null
  for (const tongue of [language, 'en']) {
    const all = names(tongue, kind)
    const exact = all.findIndex((each) => each.includes(word))
    if (exact >= 0) return exact
    const begun = all.flatMap((each, n) => (each[0]?.startsWith(word) ? [n] : []))
    if (begun.length === 1) return begun[0] as number
  }
  return null
}

/** What was typed as a moment, or null. language: of the page; English is understood as well. */
export function parseTime(typed: string, nowMs: number, zone: string, language: string): Moment | null {
  const text = plain(typed)
  if (!text) return null
  const exact = rfc3339(typed.trim())
  if (exact !== null) return { ms: exact, toMs: null }
  for (const tongue of [language, 'en']) {
    const found = new Reading(text, nowMs, zone, tongue).moment()
    if (found && Number.isFinite(found.ms)) return found
  }
  return null
}

function rfc3339(text: string): number | null {
  if (!/^\d{4}-\d\d-\d\dt\d\d:\d\d(:\d\d(\.\d+)?)?(z|[+-]\d\d:?\d\d)$/i.test(text)) return null
  const ms = Date.parse(text.toUpperCase())
  return Number.isNaN(ms) ? null : ms
}

class Reading {
  private rest: string
  private readonly words: Words

  constructor(
    text: string,
    private readonly nowMs: number,
    private readonly zone: string,
    private readonly language: string,
  ) {
    this.rest = ` ${text} `
    this.words = WORDS[language] ?? EN
  }

  moment(): Moment | null {
    const { words } = this
    const since = this.ago()
    if (since !== null) return this.done() ? { ms: this.nowMs - since, toMs: null } : null
    if (this.takes(words.now)) return this.done() ? { ms: this.nowMs, toMs: null } : null
    const today = localDay(this.nowMs, this.zone)
    if (this.takes(words.lastNight)) return this.nightBefore(today)
    const time = this.time()
    const date = this.date(today)
    const part = this.part()
    if (!this.done() || (time === null && date === null && part === null) || Number.isNaN(date?.day)) return null
    return this.put(today, date, time, part)
  }

  private put(today: number, date: { day: number; guessed: boolean } | null, time: number | null, part: Part | null): Moment {
    const day = date?.day ?? today
    if (time === null) {
      const [from, to] = part ? PART_AT[part] : [0, 24]
      return { ms: this.utc(day + from * HOUR), toMs: this.utc(day + to * HOUR) }
    }
    const afternoon = part !== null && ['afternoon', 'evening', 'night'].includes(part) && time < 12 * HOUR ? 12 * HOUR : 0
    let ms = this.utc(day + time + afternoon)
    // Nobody looks for what is still to come: a time of today that lies ahead was meant to be yesterday's.
    if (ms > this.nowMs && date === null) ms = this.utc(day - DAY + time + afternoon)
    else if (ms > this.nowMs && date?.guessed) ms = this.utc(day - 7 * DAY + time + afternoon)
    return { ms, toMs: null }
  }

  private nightBefore(today: number): Moment | null {
    const time = this.time()
    if (!this.done()) return null
    if (time === null) return { ms: this.utc(today - DAY + 20 * HOUR), toMs: this.utc(today + 6 * HOUR) }
    // "Last night 02:00" was this morning, "last night 11" was yesterday.
    const hour = time / HOUR
    return { ms: this.utc(hour < 7 ? today + time : today - DAY + time + (hour < 12 ? 12 * HOUR : 0)), toMs: null }
  }

  private utc(local: number): number {
    return fromLocal(local, this.zone)
  }

  /** Takes the longest of these words away, where one is there. */
  private takes(words: readonly string[]): boolean {
    for (const word of [...words].sort((a, b) => b.length - a.length)) {
      const at = this.rest.indexOf(` ${word} `)
      if (at < 0) continue
      this.rest = `${this.rest.slice(0, at)} ${this.rest.slice(at + word.length + 1)}`
      return true
    }
    return false
  }

  private match(pattern: RegExp): RegExpExecArray | null {
    const found = pattern.exec(this.rest)
    if (found) this.rest = `${this.rest.slice(0, found.index)} ${this.rest.slice(found.index + found[0].length)}`
    return found
  }

  /** Nothing is left but words that say nothing. */
  private done(): boolean {
    return this.rest.split(' ').every((word) => !word || this.words.filler.includes(word))
  }

  private ago(): number | null {
    if (!this.takes(this.words.ago)) return null
    const sizes = { s: 1_000, min: MINUTE, h: HOUR, d: DAY, w: 7 * DAY }
    let total = 0
    for (const [unit, ms] of Object.entries(sizes)) {
      for (const name of [...this.words.units[unit as keyof typeof sizes]].sort((a, b) => b.length - a.length)) {
        // "10 min", and "dakika 10".
        const found = this.match(new RegExp(`(?<= )(\\d+(?:[.]\\d+)?) ?${name}(?= )`)) ?? this.match(new RegExp(`(?<= )${name} (\\d+(?:[.]\\d+)?)(?= )`))
        if (found) {
          total += Number(found[1]) * ms
          break
        }
        // "an hour ago", "il y a une heure".
        if (total === 0 && name.length > 2 && this.match(new RegExp(`(?<= )(?:an?|une?|un|una|moja) ${name}(?= )`))) {
          total += ms
          break
        }
      }
    }
    return total || null
  }

  /** Milliseconds since midnight. */
  private time(): number | null {
    const colon = this.match(/(?<= )(\d{1,2})[:h](\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)? ?(am|pm)?(?= )/)
    if (colon) return clockTime(colon[1], colon[2], colon[3], colon[4], colon[5])
    const whole = this.match(/(?<= )(\d{1,2}) ?(am|pm|h)(?= )/)
    if (whole) return clockTime(whole[1], '0', '0', '', whole[2])
    const iso = this.match(/(?<=\d)t(\d\d):?(\d\d)(?::?(\d\d)(?:\.(\d{1,3}))?)?(?= )/)
    if (iso) return clockTime(iso[1], iso[2], iso[3], iso[4], undefined)
    return null
  }

  private part(): Part | null {
    for (const [part, words] of Object.entries(this.words.parts)) if (this.takes(words)) return part as Part
    return null
  }

  /** Midnight of the day that was named, as a local number. guessed: the week was not said. */
  private date(today: number): { day: number; guessed: boolean } | null {
    const { words } = this
    if (this.takes(words.before)) return { day: today - 2 * DAY, guessed: false }
    if (this.takes(words.yesterday)) return { day: today - DAY, guessed: false }
    if (this.takes(words.today)) return { day: today, guessed: false }
    const iso = this.match(/(?<= )(\d{4})-(\d{1,2})-(\d{1,2})(?= )/)
    if (iso) return dayOf(Number(iso[1]), Number(iso[2]), Number(iso[3]))
    const dotted = this.match(/(?<= )(\d{1,2})[./](\d{1,2})[./](?:(\d{4}|\d\d)(?= ))?/) ?? this.match(/(?<= )(\d{1,2})[./](\d{1,2})(?= )/)
    if (dotted) return this.inYear(dotted[3], Number(dotted[2]), Number(dotted[1]), today)
    return this.namedDay(today)
  }

  private namedDay(today: number): { day: number; guessed: boolean } | null {
    for (const word of this.rest.split(' ').filter((each) => /^\p{L}{3,}\.?$/u.test(each))) {
      const weekday = named(word, this.language, 'weekday')
      if (weekday !== null && this.takes([word])) {
        const back = (new Date(today).getUTCDay() - weekday + 7) % 7
        return { day: today - back * DAY, guessed: true }
      }
      const month = named(word, this.language, 'month')
      const day = month === null ? null : this.match(/(?<= )(\d{1,2})(?:st|nd|rd|th|er|\.)?(?= )/)
      if (month === null || !day) continue
      this.takes([word])
      const year = this.match(/(?<= )(\d{4})(?= )/)
      return this.inYear(year?.[1], month + 1, Number(day[1]), today)
    }
    return null
  }

  /** Without a year: the last time that day was. */
  private inYear(year: string | undefined, month: number, day: number, today: number): { day: number; guessed: boolean } {
    if (year) return dayOf(year.length === 2 ? 2000 + Number(year) : Number(year), month, day)
    const here = new Date(today).getUTCFullYear()
    const found = dayOf(here, month, day)
    return found.day > today ? dayOf(here - 1, month, day) : found
  }
}

function dayOf(year: number, month: number, day: number): { day: number; guessed: boolean } {
  const at = new Date(Date.UTC(year, month - 1, day))
  // A day that is not in the calendar is no moment, rather than none said.
  if (at.getUTCMonth() !== month - 1 || at.getUTCDate() !== day) return { day: NaN, guessed: false }
  return { day: at.getTime(), guessed: false }
}

function clockTime(hour: string | undefined, minute: string | undefined, second: string | undefined, ms: string | undefined, half: string | undefined): number | null {
  let h = Number(hour)
  const [m, s] = [Number(minute ?? 0), Number(second ?? 0)]
  if (half === 'am' || half === 'pm') {
    if (h < 1 || h > 12) return null
    h = (h % 12) + (half === 'pm' ? 12 : 0)
  }
  if (h > 24 || m > 59 || s > 59 || (h === 24 && m + s > 0)) return null
  return h * HOUR + m * MINUTE + s * 1_000 + Number((ms ?? '').padEnd(3, '0') || 0)
}
