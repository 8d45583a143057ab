import words from '../../../../src/longwatch/model/words/sw.json'
import { gathered } from '../gathered'

export const catalogue = {
  ...words, // what the post says in mails and reports too
  ...gathered(import.meta.glob<Record<string, string>>('./*.json', { eager: true, import: 'default' })),
}
