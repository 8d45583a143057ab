/**
 * What a person reads, in their language: messages in ICU MessageFormat, one catalogue for each language, read on demand.
 *
 * Not reactive: a change of language mounts the page anew (state/look.svelte.ts), so that nothing on it stays behind.
 * A key is `area.name`; the area is the name of its file.
 */

import { IntlMessageFormat } from 'intl-messageformat'

export const LANGUAGES = { en: 'English', fr: 'Français', es: 'Español', sw: 'Kiswahili' } as const
export type Language = keyof typeof LANGUAGES

/** For times and numbers; English with the day before the month and 24 hours, as a log is read everywhere. */
const TAGS: Record<Language, string> = { en: 'en-GB', fr: 'fr', es: 'es', sw: 'sw' }

type Catalogue = Record<string, string>
export type Values = Record<string, string | number | boolean | Date | null | undefined>

const READ: Record<Language, () => Promise<{ catalogue: Catalogue }>> = {
  en: () => import('./en'),
  fr: () => import('./fr'),
  es: () => import('./es'),
  sw: () => import('./sw'),
}

let language: Language = 'en'
let catalogue: Catalogue = {}
let compiled = new Map<string, IntlMessageFormat>()

/** The language of the page now. */
export function locale(): Language {
  return language
}

/** BCP 47 tag for `Intl`. */
export function tag(): string {
  return TAGS[language]
}

/** The first of these that we speak ("fr-CA" is "fr"); English where there is none. */
export function nearest(wanted: readonly string[]): Language {
  for (const each of wanted) {
    const short = each.toLowerCase().split('-')[0] ?? ''
    if (short in LANGUAGES) return short as Language
  }
  return 'en'
}

/** Speak this from now on. */
export function use(spoken: Language, messages: Catalogue): void {
  language = spoken
  catalogue = messages
  compiled = new Map()
}

/** Read the catalogue and speak it from now on. */
export async function speak(wanted: Language): Promise<void> {
  use(wanted, (await READ[wanted]()).catalogue)
  document.documentElement.lang = wanted
  document.documentElement.dir = 'ltr'
}

/** The message of that key, with its values. A key without a message shows as it is: a test keeps that from happening. */
export function t(key: string, values?: Values): string {
  const message = catalogue[key]
  if (message === undefined) return key
  if (!message.includes('{') && !message.includes("'")) return message
  let format = compiled.get(key)
  if (!format) {
    format = new IntlMessageFormat(message, tag(), undefined, { ignoreTag: true })
    compiled.set(key, format)
  }
  return format.format(values as Record<string, string>) as string
}

/** Whether there is a message of that key. */
export function has(key: string): boolean {
  return catalogue[key] !== undefined
}

export function number(value: number, options: Intl.NumberFormatOptions = {}): string {
  return new Intl.NumberFormat(tag(), options).format(value)
}

/** "1.4 GB": decimal units, as disks are sold. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let step = 0
  while (Math.abs(value) >= 1000 && step < units.length - 1) {
    value /= 1000
    step += 1
  }
  return `${number(value, { maximumFractionDigits: value < 10 && step > 0 ? 1 : 0 })} ${units[step]}`
}

/** Names of several things, joined as the language does. */
export function list(items: readonly string[]): string {
  return new Intl.ListFormat(tag(), { type: 'conjunction' }).format(items)
}
