const columns = 2
const width = 24 / columns
const height = 8

export type GridPos = { x: number; y: number; w: number; h: number }

/** Where each panel of a board is, in the units of Grafana: a board is 24 wide. */
export function gridPosOf(index: number): GridPos {
  return {
    x: (index % columns) * width,
    y: Math.floor(index / columns) * height,
    w: width,
    h: height,
  }
}
