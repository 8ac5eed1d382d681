/** The output of the launcher, one line at a time. */
export type Log = (line: string) => void
