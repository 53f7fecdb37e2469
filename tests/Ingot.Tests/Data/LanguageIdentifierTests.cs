using Ingot.Data;
using NUnit.Framework;

namespace Ingot.Tests.Data;

/// <summary>The language of single sentences, among few and among all languages.</summary>
public sealed class LanguageIdentifierTests
{
    [TestCase("The sea is deep and blue.", "en")]
    [TestCase("Das Meer ist tief und blau.", "de")]
    [TestCase("La mer est profonde et bleue.", "fr")]
    [TestCase("海是深的。", "zh")]
    [TestCase("Море глубокое, и оно не моё.", "ru")]
    [TestCase("42 + 1 = ?", LanguageIdentifier.Unknown)]
    [TestCase("", LanguageIdentifier.Unknown)]
    public void SentencesAreToldAmongSome(string text, string language) =>
        Assert.That(LanguageIdentifier.Identify(text, ["de", "en", "fr", "ru", "zh", "xx"]), Is.EqualTo(language));

    [Test]
    public void OthersThanThoseAskedForAreNotSaid()
    {
        Assert.That(LanguageIdentifier.Identify("Das Meer ist tief, und das ist gut.", ["en", "zh"]), Is.EqualTo(LanguageIdentifier.Unknown));
        Assert.That(LanguageIdentifier.Identify("海是深的。", ["en", "ja"]), Is.EqualTo(LanguageIdentifier.Unknown));
        Assert.That(LanguageIdentifier.Identify("Das Meer ist tief, und das ist gut, weil es nicht zu seicht ist."), Is.EqualTo("de"));
        Assert.That(LanguageIdentifier.Languages, Does.Contain("de").And.Not.Contain(LanguageIdentifier.Unknown));
    }

    // Sentences of learners, of five to ten words.
    [Test]
    public void RealSentencesAreSeldomTakenForTheOtherLanguage()
    {
        string[][] rows = [.. File.ReadLines(TestData.PathOf("translation/eng-fra.tsv")).Skip(2000).Select(line => line.Split('\t'))];
        foreach (var (column, language) in new[] { (0, "en"), (1, "fr") })
        {
            var found = rows.Select(row => LanguageIdentifier.Identify(row[column], ["en", "fr", "de"])).ToList();
            var right = found.Count(code => code == language) / (double)rows.Length;
            var wrong = found.Count(code => code != language && code != LanguageIdentifier.Unknown) / (double)rows.Length;
            TestContext.Out.WriteLine($"{language}: {right:P1} told, {wrong:P1} wrong, of {rows.Length}");
            Assert.That(right, Is.GreaterThan(0.8), language);
            Assert.That(wrong, Is.LessThan(0.05), language);
        }
    }
}
