import type uPlot from 'uplot'
import type { Result } from '../result.ts'

export interface Line {
  label: string
  color: string
  values: (number | null)[]
}

export interface Plots {
  /** Lines over `x`: seconds of the run if `time`, else percentiles. Nothing appears before `redraw`. */
  plotInto(
    holder: HTMLElement,
    x: (number | null)[],
    lines: readonly Line[],
    options: { time: boolean; show: (value: number | null | undefined) => string; log?: boolean },
  ): void
  /** Draws everything, with the current widths of the holders and the current colours of the page. */
  redraw(): void
}

/**
 * The charts of the report. The source text of this function is put into the page too, so it may use only
 * what is inside the function.
 */
export const createPlots = (Plot: typeof uPlot, outages: Result['outages']): Plots => {
  const HEIGHT = 220
  const redraws: (() => void)[] = []
  const color = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()

  /** Faults, and the time after each until everything was green. */
  const bands = (plot: uPlot) => {
    const { ctx, bbox } = plot
    const fill = (fromMs: number, toMs: number, style: string) => {
      const left = Math.max(bbox.left, plot.valToPos(fromMs / 1000, 'x', true))
      const right = Math.min(bbox.left + bbox.width, plot.valToPos(toMs / 1000, 'x', true))
      ctx.fillStyle = style
      // Keeps a momentary fault visible.
      ctx.fillRect(left, bbox.top, Math.max(2, right - left), bbox.height)
    }
    for (const { from, to, greenAt } of outages) {
      fill(from, to, color('fault'))
      if (greenAt !== undefined) fill(to, greenAt, color('healing'))
    }
  }

  /** A single value between two gaps makes no line, so it gets a point. */
  const alone = (values: readonly (number | null)[]): number[] =>
    values.flatMap((value, i) =>
      value !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null ? [i] : [],
    )

  const plotInto: Plots['plotInto'] = (holder, x, lines, options) => {
    let plot: uPlot | undefined
    const draw = () => {
      plot?.destroy()
      const axis = { stroke: color('soft'), grid: { stroke: color('grid'), width: 1 }, ticks: { show: false } }
      const percentile = (value: number) => `${Number((100 - 100 / value).toPrecision(6))}%`
      plot = new Plot(
        {
          width: holder.clientWidth,
          height: HEIGHT,
          cursor: options.time ? { sync: { key: 'run' } } : {},
          hooks: options.time ? { drawClear: [bands] } : {},
          scales: {
            x: options.time ? { time: false } : { time: false, distr: 3, log: 10 },
            y: options.log ? { distr: 3, log: 10 } : { range: (_, __, most) => [0, Math.max(most * 1.1, 1)] },
          },
          axes: [
            {
              ...axis,
              ...(options.time ? { incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600] } : {}),
              values: (_, values) =>
                values.map((value) => (value === null ? '' : options.time ? `${value}s` : percentile(value))),
            },
            {
              ...axis,
              size: 64,
              values: (_, values) => values.map((value) => (value === null ? '' : options.show(value))),
            },
          ],
          series: [
            {
              label: options.time ? 'second' : 'percentile',
              value: (_, value) => (options.time ? `${value ?? '-'}` : value ? percentile(value) : '-'),
            },
            ...lines.map((line) => ({
              label: line.label,
              stroke: color(line.color),
              width: 1.75,
              points: { show: true, size: 5, filter: (_: uPlot, at: number) => alone(lines[at - 1]?.values ?? []) },
              value: (_: uPlot, value: number | null) => options.show(value),
            })),
          ],
        },
        [x, ...lines.map(({ values }) => values)] as uPlot.AlignedData,
        holder,
      )
    }
    redraws.push(draw)
  }

  return {
    plotInto,
    redraw: () => {
      for (const draw of redraws) draw()
    },
  }
}
