import { Title } from '../parts/title.tsx'

export function NotFound() {
  return (
    <>
      <Title text="There is no such page" />
      <p>
        <a href="/">Look at the products</a>
      </p>
    </>
  )
}
