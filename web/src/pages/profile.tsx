import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { api, type Schemas } from '../api/client.ts'
import { closeSession } from '../api/session.ts'
import { announce } from '../parts/announce.tsx'
import { Failure } from '../parts/failure.tsx'
import { ProfileFields } from '../parts/fields.tsx'
import { Form } from '../parts/form.tsx'
import { useLoad } from '../parts/load.ts'
import { OwnData } from '../parts/own-data.tsx'
import { SignedIn } from '../parts/signed-in.tsx'
import { Title } from '../parts/title.tsx'

function Profile() {
  const { route } = useLocation()
  const [saved, setSaved] = useState(false)
  const loaded = useLoad('profile', (signal) => api.GET('/account/customer/personal', { signal }))
  if (loaded.state === 'loading') return <p class="waiting">Loading the profile …</p>
  if (loaded.state === 'failed') {
    return <Failure problem={loaded.problem} onRetry={loaded.reload} />
  }
  const personal = loaded.data
  const leave = async (everywhere: boolean) => {
    const { error } = await api
      .POST('/account/session/logout', { body: { everywhere } })
      .catch(() => ({ error: 'no connection' }))
    if (error) {
      announce('Signing out failed. Try again.')
      return
    }
    closeSession()
    announce('You are signed out.')
    route('/')
  }
  return (
    <>
      <p>
        {personal.email}{' '}
        {personal.email_verified ? (
          <span class="badge good">Verified</span>
        ) : (
          <a href={`/verify?${new URLSearchParams({ email: personal.email, next: '/profile' })}`}>
            Verify this address
          </a>
        )}
      </p>
      <Form
        label="Save"
        send={(fields) => {
          setSaved(false)
          return api.PUT('/account/customer/personal', {
            body: fields as Schemas['UpdatePersonal'],
          })
        }}
        onDone={() => setSaved(true)}
      >
        {(problem) => <ProfileFields problem={problem} values={personal} />}
      </Form>
      <p role="status">{saved && 'Saved.'}</p>
      <h2>Session</h2>
      <p class="inline">
        <button type="button" onClick={() => leave(false)}>
          Sign out
        </button>
        <button type="button" class="quiet" onClick={() => leave(true)}>
          Sign out on all devices
        </button>
      </p>
      <OwnData email={personal.email} />
    </>
  )
}

export function ProfilePage() {
  return (
    <SignedIn>
      <Title text="Profile" />
      <Profile />
    </SignedIn>
  )
}
