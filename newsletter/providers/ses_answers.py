"""What SES's answers mean: the errors of a call, and the status of each entry of one.

Source: the service model of sesv2 in botocore 1.44, "Common errors" of the API reference, and the developer
guide's "Errors related to the sending quotas" (read 2026-11-21).
"""

from __future__ import annotations

from newsletter.providers.verdict import Meaning, Rule

_QUOTA = "SES counts the last 24 hours: it goes on as they pass; ask AWS to raise the sending quota for more"
_RATE = "lower provider.rate to what SES allows a second, see: newsletter doctor"
_KEYS = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, and that ses.region is right"
_RIGHTS = "give these keys ses:SendBulkEmail, ses:SendEmail, ses:SendBulkTemplatedEmail and ses:SendTemplatedEmail"
_READING = "allow these keys ses:ListSuppressedDestinations, then: newsletter sync"
_ACCOUNT = "open the SES console: AWS has stopped this account's sending and says there why"
_SENDER = "verify the sender's domain in SES, in ses.region; in the sandbox every recipient has to be verified too"
_SET = "check ses.configuration_set: it has to exist in ses.region"
_BUG = "this is a mistake of this program: please report it, with this message"
_LATER = "nothing to do: it is tried again later"

ERRORS: tuple[Rule, ...] = (
    # "A temporary failure of the server" is no word that nothing was taken, and no other 5xx is.
    Rule(tuple(range(500, 600)), r"", Meaning.DOUBT, ""),
    Rule((), r"daily message quota exceeded", Meaning.QUOTA, _QUOTA),
    Rule((), r"maximum sending rate exceeded", Meaning.BUSY, _RATE),
    Rule(("ThrottlingException", "Throttling", "TooManyRequestsException", 429), r"", Meaning.BUSY, _RATE),
    # The older API refused a whole call for one bad address, and nobody promises that this one does not.
    Rule(
        ("BadRequestException", "InvalidParameterValue", "ValidationException"),
        r"illegal address|missing (?:final|start)\b.*@|(?:local address|domain) (?:contains|starts|ends)\b",
        Meaning.ROW,
        "",
    ),
    Rule(("LimitExceededException",), r"", Meaning.QUOTA, _QUOTA),
    Rule(("AccountSuspendedException",), r"", Meaning.SETUP, _ACCOUNT),
    Rule(
        ("SendingPausedException",), r"configuration set", Meaning.SETUP, "let the configuration set send again in SES"
    ),
    Rule(("SendingPausedException",), r"", Meaning.SETUP, _ACCOUNT),
    Rule(("MailFromDomainNotVerifiedException",), r"", Meaning.SETUP, _SENDER),
    Rule(("MessageRejected",), r"not verified", Meaning.SETUP, _SENDER),
    Rule(("MessageRejected",), r"", Meaning.SETUP, "SES refuses what the letter contains: mend and approve it again"),
    Rule(("NotFoundException", 404), r"", Meaning.SETUP, _SET),
    Rule(("AccessDeniedException", "AccessDenied", "NotAuthorized"), r"ListSuppressed", Meaning.SETUP, _READING),
    Rule(("AccessDeniedException", "AccessDenied", "NotAuthorized"), r"", Meaning.SETUP, _RIGHTS),
    Rule(
        ("ExpiredTokenException", "ExpiredToken"), r"", Meaning.SETUP, "the session's keys have expired: get new ones"
    ),
    Rule(("RequestExpired",), r"", Meaning.SETUP, "set this machine's clock: it is wrong by more than 15 minutes"),
    Rule(("OptInRequired",), r"", Meaning.SETUP, "the AWS account is not signed up for SES in ses.region"),
    Rule(
        ("SignatureDoesNotMatch",),
        r"signature (?:not yet current|expired)",
        Meaning.SETUP,
        "set this machine's clock: it is wrong by more than 5 minutes",
    ),
    Rule(
        (
            "IncompleteSignature",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "MissingAuthenticationTokenException",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
            401,
            403,
        ),
        r"",
        Meaning.SETUP,
        _KEYS,
    ),
    Rule(("RequestTimeoutException",), r"", Meaning.BUSY, _LATER),  # it did not read all of the request, it says
    Rule((408,), r"", Meaning.DOUBT, ""),
    Rule(("RequestEntityTooLargeException", 413), r"", Meaning.SETUP, "the letter is too large for SES: shorten it"),
    Rule((400,), r"", Meaning.SETUP, _BUG),
    Rule((), r"", Meaning.SETUP, "see health.aws.amazon.com, and report this message if nothing is wrong there"),
)

ENTRIES: tuple[Rule, ...] = (
    Rule(("MESSAGE_REJECTED",), r"not verified", Meaning.SETUP, _SENDER),
    Rule(("MESSAGE_REJECTED", "INVALID_PARAMETER"), r"", Meaning.ROW, ""),
    Rule(("MAIL_FROM_DOMAIN_NOT_VERIFIED",), r"", Meaning.SETUP, _SENDER),
    Rule(("CONFIGURATION_SET_NOT_FOUND",), r"", Meaning.SETUP, _SET),
    Rule(("TEMPLATE_NOT_FOUND",), r"", Meaning.SETUP, _BUG),
    Rule(
        ("INVALID_SENDING_POOL_NAME",),
        r"",
        Meaning.SETUP,
        "the configuration set names a pool of IPs that is gone: mend it",
    ),
    Rule(("ACCOUNT_SUSPENDED", "ACCOUNT_SENDING_PAUSED"), r"", Meaning.SETUP, _ACCOUNT),
    Rule(("CONFIGURATION_SET_SENDING_PAUSED",), r"", Meaning.SETUP, "let the configuration set send again in SES"),
    Rule(("ACCOUNT_DAILY_QUOTA_EXCEEDED",), r"", Meaning.QUOTA, _QUOTA),
    Rule(("ACCOUNT_THROTTLED",), r"", Meaning.BUSY, _RATE),
    Rule(("TRANSIENT_FAILURE",), r"", Meaning.LATER, ""),
    Rule(("FAILED",), r"address|recipient|header|parameter|template data", Meaning.ROW, ""),
    Rule(("FAILED",), r"", Meaning.LATER, ""),  # "failed to process your request", says the reference: not taken
    Rule((), r"", Meaning.DOUBT, ""),
)
