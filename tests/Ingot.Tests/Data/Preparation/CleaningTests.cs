using Ingot.Data.Preparation.Cleaning;
using NUnit.Framework;

namespace Ingot.Tests.Data.Preparation;

/// <summary>What each rule that changes text does to it.</summary>
public class CleaningTests
{
    [TestCase("cafÃ© donâ€™t â€œyesâ€\u009d", "café don’t “yes”")]
    [TestCase("Ã¤Ã¶Ã¼ and ðŸ˜€", "äöü and 😀")]
    [TestCase("Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "привет")]
    [TestCase("ÃƒÂ©", "é")] // Broken twice.
    [TestCase("GAGNÉ» DÉGAGÉ", "GAGNÉ» DÉGAGÉ")] // É» could be a byte pair of UTF-8.
    [TestCase("café Ångström São Â", "café Ångström São Â")]
    public void Mojibake(string text, string clean) => AssertApplied("mojibake", text, clean);

    [TestCase("<p>One</p><p>Two<br/>three</p>", "\nOne\n\nTwo\nthree\n")]
    [TestCase("a <b>bold</b> <a href=\"x>y\">link</a>", "a bold y\">link")]
    [TestCase("x<script>if (a < b) alert('</b>')</script>y<!-- c -->z", "xyz")]
    [TestCase("List<T> and a < b > c, <foo@example.org>, <3", "List<T> and a < b > c, <foo@example.org>, <3")]
    [TestCase("<style", "<style")]
    [TestCase("ends in <", "ends in <")]
    public void HtmlTags(string text, string clean) => AssertApplied("htmlTags", text, clean);

    [TestCase("a &amp; b &lt;b&gt; &#233;&#xE9; &nbsp;", "a & b <b> éé \u00a0")]
    [TestCase("AT&T; R&D &unknown; &", "AT&T; R&D &unknown; &")]
    public void HtmlEntities(string text, string clean) => AssertApplied("htmlEntities", text, clean);

    [TestCase("a\r\nb\rc\u2028d\fe", "a\nb\nc\nd\ne")]
    [TestCase("\ufeffa\0b\u200bc\u00add\u202ee\u0085", "abcde\n")]
    [TestCase("tab\tzero\u200djoiner\u200c", "tab\tzero\u200djoiner\u200c")]
    [TestCase("\r", "\n")]
    public void ControlCharacters(string text, string clean) => AssertApplied("controlCharacters", text, clean);

    [TestCase("\n\n  a  \n\n\n\nb\u00a0c\t\n\n", "  a\n\nb c")]
    [TestCase("a\n\nb\n c", "a\n\nb\n c")]
    [TestCase("a\n", "a")]
    [TestCase(" \n \n", "")]
    [TestCase("a\u3000", "a")]
    public void Whitespace(string text, string clean) => AssertApplied("whitespace", text, clean);

    [TestCase("a  b \t c d", "a b c d")]
    public void CollapsedSpaces(string text, string clean) => AssertApplied("collapseSpaces", text, clean);

    [TestCase("Write to jane.doe+x@mail.example.org.", "Write to <EMAIL>.")]
    [TestCase("a@b.co,c@d.com", "<EMAIL>,<EMAIL>")]
    [TestCase("@user a@b x@ @ user@host. 3@4.5", "@user a@b x@ @ user@host. 3@4.5")]
    public void Emails(string text, string clean) => AssertApplied("emails", text, clean);

    [TestCase("Call +49 30 123456-78 or (555) 555-0100.", "Call <PHONE> or <PHONE>.")]
    [TestCase("555-555-0100, 1-800-555-0100, 010-12345678", "<PHONE>, <PHONE>, <PHONE>")]
    [TestCase("2026-11-25 10:15, 3.14159 26535, 1,234,567 12345678901, v1.2.3, 0.123", "2026-11-25 10:15, 3.14159 26535, 1,234,567 12345678901, v1.2.3, 0.123")]
    [TestCase("192.168.0.1 and x555-555-0100 and 555-555-01001", "192.168.0.1 and x555-555-0100 and 555-555-01001")]
    public void PhoneNumbers(string text, string clean) => AssertApplied("phoneNumbers", text, clean);

    [TestCase("12345678 123456789 1234567890", "12345678 <NUMBER> <NUMBER>")]
    public void LongNumbers(string text, string clean) => AssertApplied("longNumbers", text, clean);

    [TestCase("Fact.[1][23] More[citation needed] [edit] a[i] [2024]", "Fact. More  a[i] [2024]")]
    public void Citations(string text, string clean) => AssertApplied("citations", text, clean);

    [TestCase("e\u0301 A\u030a n\u0303", "é Å ñ")]
    [TestCase("\u212b \u1100\u1161\u11a8", "Å 각")]
    [TestCase("\u0065\u0323\u0301 plain “text” 漢字", "ẹ\u0301 plain “text” 漢字")]
    [TestCase("a\u0301\u0323", "ạ\u0301")] // Marks are put in order first.
    public void ComposedCharacters(string text, string clean) => AssertApplied("unicode", text, clean);

    [TestCase("It ends.", true)]
    [TestCase("He said “no”", true)]
    [TestCase("And then...", false)]
    [TestCase("Home | About", false)]
    public void LinesThatEndASentence(string line, bool ends) => Assert.That(Lines.EndsSentence(line), Is.EqualTo(ends));

    [TestCase("The cat is on the table and it was not for you to have that.", "en")]
    [TestCase("Der Hund ist nicht im Haus und die Katze liegt auf dem Tisch, weil es kalt ist.", "de")]
    [TestCase("Le chat est dans la maison et il ne veut pas sortir avec les enfants.", "fr")]
    [TestCase("El perro no está en la casa porque se fue con los niños a la playa.", "es")]
    [TestCase("Il gatto non è nella casa perché è andato con i bambini della scuola.", "it")]
    [TestCase("Кот не был в доме, потому что он ушёл с детьми на улицу.", "ru")]
    [TestCase("猫は家にいません。", "ja")]
    [TestCase("猫不在家里，因为它出去了。", "zh")]
    [TestCase("고양이는 집에 없습니다.", "ko")]
    [TestCase("Η γάτα δεν είναι στο σπίτι.", "el")]
    [TestCase("12345 !!", "und")]
    public void Languages(string text, string language)
    {
        var words = new WordList();
        words.Read(text);
        Assert.That(LanguageGuess.Of(words), Is.EqualTo(language));
    }

    [Test]
    public void RealTextInTwoLanguagesIsTold()
    {
        var pairs = File.ReadLines(TestData.PathOf("translation/eng-fra.tsv")).Select(line => line.TrimStart('\ufeff').Split('\t')).ToList();
        var words = new WordList();
        foreach (var (column, language) in new[] { (0, "en"), (1, "fr") })
        {
            // Sentences of three or four words, many of them commands: "Go on in."
            var guesses = pairs.Chunk(25).Select(group =>
            {
                words.Read(string.Join('\n', group.Select(pair => pair[column])));
                return LanguageGuess.Of(words);
            }).ToList();
            Assert.That(guesses.Count(guess => guess == language), Is.GreaterThan(0.9 * guesses.Count), language);
            Assert.That(guesses.Count(guess => guess != language && guess != LanguageGuess.Unknown), Is.LessThan(0.03 * guesses.Count), language);
        }
    }

    private static void AssertApplied(string name, string text, string clean)
    {
        var rule = RuleTable.All[RuleTable.IndexOf(name)];
        var count = 0L;
        Assert.That(rule.Repairs!(text, rule.DefaultLimit, ref count), Is.EqualTo(clean));
        Assert.That(count > 0, Is.EqualTo(text != clean), "what changes is counted, and nothing else");
        var again = 0L;
        if (name is not ("htmlEntities" or "htmlTags"))
            Assert.That(rule.Repairs(clean, rule.DefaultLimit, ref again), Is.EqualTo(clean), "a second time changes nothing");
    }
}
