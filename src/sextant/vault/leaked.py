"""Passwords that every guesser tries first; compared without case."""

from __future__ import annotations

from typing import Final

LEAKED: Final = frozenset(
    """
    00000000 11111111 111111111 1111111111 11223344 12121212 123123123 12341234 12344321 12345678 123456789
    1234567890 123456789a 12345678910 12345qwert 1234qwer 123654789 123qweasd 147258369 159753456 1a2b3c4d
    1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx 1qaz2wsx3edc 22222222 33333333 44444444 55555555 66666666 77777777
    741852963 87654321 88888888 987654321 9876543210 99999999 a1234567 a12345678 a123456789 aa123456 aa12345678
    abc12345 abcd1234 abcdefgh access14 adminadmin administrator admin123 admin1234 alexander anthony1 asdasdasd
    asdf1234 asdfasdf asdfghjk asdfghjkl baseball baseball1 basketball benjamin billgates bitcoin1 blink182
    butterfly caroline changeit changeme changeme1 charlie1 chocolate christian christopher computer corvette
    danielle december default1 dragon123 einstein elizabeth ethereum everything fernando football football1
    formula1 freedom1 garfield green123 hannah123 hello123 helloworld iloveyou iloveyou1 iloveyou2 internet
    jennifer jessica1 jonathan jordan23 kimberly letmein1 letmein123 liverpool liverpool1 login123 lovelove
    manchester master123 maverick mercedes metallica michael1 michelle midnight monkey123 mustang1 newyork1
    nicole123 p@55w0rd p@ssw0rd p@ssword pa55word pa55w0rd passw0rd passw0rd1 password password! password1
    password1! password12 password123 password123! password1234 password2 passwords pokemon1 princess princess1
    q1w2e3r4 q1w2e3r4t5 qazwsxedc qazwsx123 qwer1234 qwert123 qwert12345 qwerty12 qwerty123 qwerty1234
    qwerty12345 qwertyui qwertyuiop qwertyuiop1 rootroot samantha satoshi1 secret123 security september
    sexylady shadow123 skywalker slipknot spiderman starwars starwars1 steelers summer123 sunshine sunshine1
    superman superman1 swordfish test1234 testtest thomas123 tigger123 trustno1 unknown1 victoria welcome1
    welcome123 whatever whatever1 williams winter123 zaq12wsx zaq1zaq1 zxcvbnm1 zxcvbnm123 zxcvbnmz
    """.split()  # noqa: SIM905  # a page of words reads better than a column of quotes
)
