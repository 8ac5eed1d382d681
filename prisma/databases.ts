export const databases = ['account', 'product', 'order', 'payment', 'media', 'purchase'] as const

export type Database = (typeof databases)[number]
