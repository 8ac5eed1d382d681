import { type Problem, problemText } from '../api/client.ts'

/** Why something could not be shown or done, announced as it appears. */
export function Failure({
  problem,
  onRetry,
}: {
  problem: Problem | undefined
  onRetry?: () => void
}) {
  return (
    <div class="failure" role="alert">
      <p>{problemText(problem)}</p>
      {onRetry && (
        <button type="button" class="quiet" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  )
}
