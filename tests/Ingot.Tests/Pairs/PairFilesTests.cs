using System.IO.Compression;
using System.Text;
using Ingot.Pairs;
using NUnit.Framework;

namespace Ingot.Tests.Pairs;

public sealed class PairFilesTests : FolderTests
{
    [Test]
    public void ATableWithoutNamesGoesByNumber()
    {
        // As Tatoeba's files are: a byte-order mark, quotes that are quotes, and a column that nobody asked for.
        var path = Write("eng-deu.tsv", [.. Encoding.UTF8.Preamble, .. "Hi.\tHallo.\tCC-BY #1\n\"No,\" he said.\t \tCC-BY #2\n Run! \tLauf!\tCC-BY #3\n"u8]);

        Assert.That(Read(path), Is.EqualTo([("Hi.", "Hallo."), ("Run!", "Lauf!")]));
        Assert.That(Read(path, new PairFields { Source = "2", Target = "1" }), Is.EqualTo([("Hallo.", "Hi."), ("Lauf!", "Run!")]));
        Assert.That(PairFiles.Open(path, new PairFields()).Read().Select(pair => pair.Place), Is.EqualTo([$"{path}:1", $"{path}:3"]));
        Assert.That(() => Read(path, new PairFields { Target = "4" }), Throws.TypeOf<InvalidDataException>().With.Message.Contains(path + ":1"));

        var files = PairFiles.Open(path, new PairFields());
        Assert.That(files.Read().Count(), Is.EqualTo(2));
        Assert.That(files.Empty, Is.EqualTo(1));
    }

    [Test]
    public void ATableWithNamesGoesByThese()
    {
        var path = Write("pairs.csv", "id,en,de,lang\n1,\"Yes, we do.\",\"Ja,\nsicher.\",en\n2,No.,Nein.,fr\n");
        var fields = new PairFields { Source = "en", Target = "de", SourceLanguageField = "lang", TargetLanguage = "de" };

        var pairs = PairFiles.Open(path, fields).Read().ToList();

        Assert.That(pairs.Select(pair => (pair.Source, pair.Target)), Is.EqualTo([("Yes, we do.", "Ja,\nsicher."), ("No.", "Nein.")]));
        Assert.That(pairs.Select(pair => (pair.SourceLanguage, pair.TargetLanguage)), Is.EqualTo([("en", "de"), ("fr", "de")]));
        // The first pair has two lines.
        Assert.That(pairs.Select(pair => pair.Place), Is.EqualTo([$"{path}:2", $"{path}:4"]));
        Assert.That(() => Read(path, fields with { Target = "fr" }),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("'fr'").And.Message.Contains("'de'"));
    }

    [Test]
    public void JsonHasFieldsListsAndObjects()
    {
        var path = Write("pairs.jsonl", """
            {"source": ["One sentence.", " ", "Another."], "target": ["First.", "Second."]}
            {"source": "A", "target": null}
            {"source": "B", "target": "b"}

            """);
        Assert.That(Read(path), Is.EqualTo([("One sentence. Another.", "First."), ("B", "b")]));

        path = Write("list.json", """[{"translation": {"en": "Sea", "de": "Meer"}}, {"translation": {"en": "Sun", "de": "Sonne"}}]""");
        var fields = new PairFields { Source = "translation.en", Target = "translation.de" };
        Assert.That(Read(path, fields), Is.EqualTo([("Sea", "Meer"), ("Sun", "Sonne")]));
    }

    [TestCase("""{"question": "Q", "target": "t"}""", "'source'.*'question'.*sourceField")]
    [TestCase("""{"source": 7, "target": "t"}""", "'source' is no text")]
    [TestCase("""["a", "b"]""", "no object")]
    [TestCase("""{"source": "a" """, "not valid JSON")]
    [TestCase("""{"source": "\ud800", "target": "t"}""", "surrogate")]
    public void WhatIsWrongIsNamedWithItsLine(string line, string problem)
    {
        var path = Write("pairs.jsonl", "{\"source\": \"a\", \"target\": \"b\"}\n" + line + "\n");
        Assert.That(() => Read(path), Throws.TypeOf<InvalidDataException>().With.Message.Match(problem).And.Message.Contains("pairs.jsonl"));
    }

    [Test]
    public void AFolderIsReadInOrderAndUnpacked()
    {
        using (var gzip = new GZipStream(File.Create(In("b.tsv.gz")), CompressionLevel.Fastest))
            gzip.Write("c\td\n"u8);
        Write("a.jsonl", "{\"source\": \"a\", \"target\": \"b\"}\n");
        Write("notes.txt", "no pairs");

        Assert.That(Read(In("")), Is.EqualTo([("a", "b"), ("c", "d")]));
        Assert.That(() => PairFiles.Open(In("notes.txt"), new PairFields()), Throws.TypeOf<InvalidDataException>().With.Message.Contains(".tsv"));
        Assert.That(() => PairFiles.Open(In("none.tsv"), new PairFields()), Throws.TypeOf<FileNotFoundException>());
    }

    [Test]
    public void FieldsOfASourceGoBeforeThoseOfAll()
    {
        var all = new PairFields { Source = "x", SourceLanguage = "en", TargetLanguageField = "to" };
        Assert.That(new PairFields { Target = "y", SourceLanguageField = "from", TargetLanguage = "de" }.Or(all),
            Is.EqualTo(new PairFields { Source = "x", Target = "y", SourceLanguageField = "from", TargetLanguage = "de" }));
        Assert.That(new PairFields().Or(all), Is.EqualTo(all));
    }

    private static IEnumerable<(string Source, string Target)> Read(string path, PairFields? fields = null) =>
        [.. PairFiles.Open(path, fields ?? new PairFields()).Read().Select(pair => (pair.Source, pair.Target))];
}
