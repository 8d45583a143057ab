import { gathered } from '../gathered'

export const catalogue = gathered(import.meta.glob<Record<string, string>>('./*.json', { eager: true, import: 'default' }))
