/** How long a password would withstand guessing, roughly: length and variety, less what everybody tries first. */

export type Strength = 'short' | 'weak' | 'fair' | 'strong'

export const LEAST = 10
const COMMON = [
  'password', 'passwort', 'contrasena', 'motdepasse', 'nenosiri', 'longwatch', 'camera', 'admin', 'letmein', 'welcome', 'qwerty', 'azerty', 'iloveyou',
  'dragon', 'monkey', 'security', 'secret', 'default', 'changeme', 'abc123', '123456', '111111', 'abcdef', 'asdf', 'zxcv',
]

/** Bits, as a guesser who knows words and rows of keys would count them. name: of the user, which is guessed first. */
export function bits(password: string, name = ''): number {
  let rest = password.toLowerCase()
  let words = 0
  for (const known of [...COMMON, ...(name.length > 2 ? [name.toLowerCase()] : [])]) {
    while (rest.includes(known)) {
      rest = rest.replace(known, '')
      words += 1
    }
  }
  // What repeats or goes on by one says little.
  let counted = 0
  for (let n = 0; n < rest.length; n += 1) {
    const step = n ? rest.charCodeAt(n) - rest.charCodeAt(n - 1) : 99
    counted += Math.abs(step) <= 1 ? 0.25 : 1
  }
  let alphabet = 0
  if (/[a-z]/.test(password)) alphabet += 26
  if (/[A-Z]/.test(password)) alphabet += 26
  if (/\d/.test(password)) alphabet += 10
  if (/[^a-zA-Z\d]/.test(password)) alphabet += 20
  // Letters of words hang together: at most 3.3 bits each where nothing but letters and blanks stands there.
  const each = /^[a-z\s]*$/i.test(password) ? Math.min(3.3, Math.log2(alphabet || 1)) : Math.log2(alphabet || 1)
  return counted * each + words * 4
}

export function strength(password: string, name = ''): Strength {
  if ([...password].length < LEAST) return 'short'
  const found = bits(password, name)
  if (found < 34) return 'weak'
  return found < 50 ? 'fair' : 'strong'
}
