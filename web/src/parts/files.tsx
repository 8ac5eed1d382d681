import { api, type Schemas } from '../api/client.ts'
import { Field, fieldProblem } from './fields.tsx'
import { Form } from './form.tsx'
import type { Section } from './section.ts'

/** The pictures and videos of a product: what is there, and more. */
export function Files({ files, ...section }: Section & { files: Schemas['Media'][] }) {
  const remove = async (file: Schemas['Media']) => {
    const { error } = await api
      .DELETE('/media/{id}', { params: { path: { id: file.id } } })
      .catch(() => ({ error: 'no connection' }))
    section.onDone(error ? 'The file could not be removed. Try again.' : 'The file is removed.')
  }
  return (
    <>
      <ul class="records">
        {files.map((file) => (
          <li key={file.id}>
            <a href={file.url}>{file.alt}</a>
            <button type="button" class="quiet" onClick={() => remove(file)}>
              Remove<span class="visually-hidden"> {file.alt}</span>
            </button>
          </li>
        ))}
      </ul>
      <Upload {...section} />
    </>
  )
}

function Upload({ product, onDone }: Section) {
  return (
    <Form
      label="Add the files"
      send={async ({ alt = '' }, form) => {
        const body = new FormData()
        // The fields come before the files.
        body.set('product_id', product.id)
        body.set('alt', alt)
        for (const file of form.getAll('data')) body.append('data', file)
        return api.POST('/media/upload', {
          // The types say what is in the form; it is sent as it is.
          body: body as unknown as never,
          bodySerializer: (sent: unknown) => sent as FormData,
        })
      }}
      onDone={() => onDone('The files are there.')}
    >
      {(problem) => (
        <>
          <Field
            label="Pictures (png, jpg) or videos (mp4)"
            name="data"
            type="file"
            accept="image/png,image/jpeg,video/mp4"
            multiple
            required
            problem={fieldProblem(problem, 'data')}
          />
          <Field
            label="What they show"
            hint="For those who cannot see them"
            name="alt"
            required
            maxLength={500}
            problem={fieldProblem(problem, 'alt')}
          />
        </>
      )}
    </Form>
  )
}
