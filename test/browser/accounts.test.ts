import assert from 'node:assert/strict'
import { codeIn, waitForMails } from '../helpers/mailbox.ts'
import { password, signUp, uniqueName, visitEachTest } from './visitors.ts'

describe('accounts in a browser', function () {
  this.timeout(240_000)

  const visit = visitEachTest()

  it('registers a customer, who verifies the address, signs out and in again', async () => {
    const { page, heading } = visit
    const email = `${uniqueName('mai').replace(' ', '-')}@example.com`
    await page.goto('/register')
    await page.getByLabel('Email').fill(email)
    await page.getByLabel('Password').fill(password)
    await page.getByLabel('First name').fill('Mai')
    await page.getByLabel('Last name').fill('Lan')
    await page.getByLabel('Address').fill('12 Hue')
    await page.getByLabel('Phone number').fill('0123456789')
    await page.getByRole('button', { name: 'Register' }).click()
    await heading('Verify your email address')
    const [mail] = await waitForMails(email, 1)
    await page.getByLabel('Code').fill(codeIn(mail))
    await page.getByRole('button', { name: 'Verify', exact: true }).click()
    await heading('Products')
    await page.getByRole('link', { name: 'Profile' }).click()
    await page.getByText('Verified', { exact: true }).waitFor()

    await page.getByRole('button', { name: 'Sign out', exact: true }).click()
    await page.getByRole('link', { name: 'Sign in' }).click()
    await page.getByLabel('Email').fill(email)
    await page.getByLabel('Password').fill('not the password')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('the email address or the password is wrong').waitFor()
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Sign in' }).click()

    await page.getByRole('link', { name: 'Purchases' }).waitFor()
  })

  it('registers an address with an internationalised domain', async () => {
    const { page, heading } = visit
    const email = `${uniqueName('mai').replace(' ', '-')}@bücher.example`
    await page.goto('/register')
    await page.getByLabel('Email').fill(email)
    await page.getByLabel('Password').fill(password)
    await page.getByLabel('First name').fill('Mai')
    await page.getByLabel('Last name').fill('Lan')
    await page.getByLabel('Address').fill('12 Hue')
    await page.getByLabel('Phone number').fill('0123456789')
    await page.getByRole('button', { name: 'Register' }).click()
    await heading('Verify your email address')
    const [mail] = await waitForMails(email, 1)
    await page.getByLabel('Code').fill(codeIn(mail))
    await page.getByRole('button', { name: 'Verify', exact: true }).click()

    await heading('Products')
  })

  it('sets a new password with a mailed code', async () => {
    const { context, page, heading } = visit
    const { email } = await signUp(context, page)
    await page.goto('/forgot')
    await page.getByLabel('Email').fill(email)
    await page.getByRole('button', { name: 'Send the code' }).click()
    await page.getByLabel('Code').waitFor()
    const mails = await waitForMails(email, 2)
    const reset = mails.find(({ subject }) => /password/i.test(subject))
    await page.getByLabel('Code').fill(codeIn(reset))
    await page.getByLabel('New password').fill('another horse battery')
    await page.getByRole('button', { name: 'Set the password' }).click()
    await heading('Sign in')
    await page.getByLabel('Email').fill(email)
    await page.getByLabel('Password').fill('another horse battery')
    await page.getByRole('button', { name: 'Sign in' }).click()

    await page.getByRole('link', { name: 'Purchases' }).waitFor()
  })

  it('leaves nothing of the session that a script can read', async () => {
    const { context, page } = visit
    await signUp(context, page)
    await page.getByRole('link', { name: 'Purchases' }).waitFor()

    const readable = await page.evaluate(() => ({
      cookies: document.cookie,
      stored: JSON.stringify([{ ...localStorage }, { ...sessionStorage }]),
    }))

    assert.equal(readable.cookies, '')
    assert.doesNotMatch(readable.stored, /eyJ|token/)
    const cookies = await context.cookies()
    assert.ok(cookies.length > 0 && cookies.every(({ httpOnly }) => httpOnly))
  })

  it('sends a visitor to sign in, and then to where they were going', async () => {
    const { page, heading } = visit
    await page.goto('/purchases')
    await heading('Sign in')
    assert.equal(new URL(page.url()).searchParams.get('next'), '/purchases')
    await page.goto('/login?next=//evil.example/')
    await page.getByRole('link', { name: 'Register' }).click()
    await heading('Register')

    assert.equal(new URL(page.url()).searchParams.get('next'), '/')
  })
})
