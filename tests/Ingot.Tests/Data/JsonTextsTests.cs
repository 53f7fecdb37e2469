using System.IO.Compression;
using System.Text;
using Ingot.Data;
using NUnit.Framework;

namespace Ingot.Tests.Data;

/// <summary>Documents in JSON Lines, and what files hold.</summary>
public sealed class JsonTextsTests : FolderTests
{
    [Test]
    public void EachLineIsAStringOrHasAText()
    {
        Write("a.jsonl", "\"one\"\n\n{\"id\": 1, \"text\": \"two \\\"2\\\"\"}\r\n  \n{\"text\": \"drei – 三\"}");
        (string, long)[] expected = [("one", 1), ("two \"2\"", 3), ("drei – 三", 5)];
        Assert.That(JsonTexts.ReadLines(In("a.jsonl")), Is.EqualTo(expected));
        using (var gzip = new GZipStream(File.Create(In("b.jsonl.gz")), CompressionLevel.Fastest))
            gzip.Write(File.ReadAllBytes(In("a.jsonl")));
        Assert.That(JsonTexts.ReadLines(In("b.jsonl.gz")), Is.EqualTo(expected));
    }

    [Test]
    public void LinesAreReadWhereverTheirBlocksEnd()
    {
        var random = new Random(2);
        string[] lines = [.. Enumerable.Range(0, 300).Select(_ => new string('x', random.Next(1, random.Next(1, 5000))) + "é")];
        Write("long.txt", string.Join('\n', lines));
        Assert.That(TextLines.Read(In("long.txt")).Select(line => Encoding.UTF8.GetString(line.Span)), Is.EqualTo(lines));
    }

    [TestCase("a.jsonl", "{\"text\": \"a\"}\n", DataFormat.Text)]
    [TestCase("a.jsonl", "{\"id\": {\"text\": 1}, \"more\": [1, {\"text\": \"x\"}], \"text\": \"a\"}\n", DataFormat.Text)]
    [TestCase("a.jsonl", "{\"messages\": [{\"role\": \"user\", \"text\": \"a\"}]}\n", DataFormat.Chat)]
    [TestCase("a.jsonl", "{\"prompt\": \"a\", \"completion\": \"b\"}\n", DataFormat.Chat)]
    [TestCase("a.json", "[\"a\"]", DataFormat.Examples)]
    [TestCase("a.json", "[{\"messages\": []}]", DataFormat.Chat)]
    [TestCase("a.jsonl", "\"a\"\n", DataFormat.Examples)]
    [TestCase("a.txt", "[\"a\"]", DataFormat.Text)]
    [TestCase("a.yml", "conversations:", DataFormat.Chat)]
    [TestCase("a.json", "no JSON", DataFormat.Text)]
    public void WhatAFileHoldsIsSeenInItsBeginning(string name, string content, DataFormat expected)
    {
        Write(name, content);
        Assert.That(DataFormats.Recognize(TextSource.Open(In(name))), Is.EqualTo(expected));
    }

    [TestCase("a.jsonl", "\"a\"\n{\"texts\": 1, \"b\": 2}\n", "a.jsonl:2:", "texts, b")]
    [TestCase("a.jsonl", "{\"text\": \"a\"}\n{\"text\": \n", "a.jsonl:2:", "not JSON")]
    [TestCase("a.jsonl", "{\"text\": 5}\n", "a.jsonl:1:", "text")]
    [TestCase("a.jsonl", "[1]\n", "a.jsonl:1:", "an array")]
    [TestCase("a.jsonl", "{\"text\": \"\\ud800\"}\n", "a.jsonl:1:", "surrogate")]
    public void WhatIsNoTextIsNamed(string name, string content, string place, string problem)
    {
        Write(name, content);
        Assert.That(() => JsonTexts.ReadLines(In(name)).ToList(),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains(place).And.Message.Contains(problem));
    }

    [Test]
    public void EachLineOfJsonLinesIsADocument()
    {
        Write("a.jsonl", "{\"text\": \"one\\r\\ntwo\"}\n{\"text\": \"\"}\n{\"text\": \"three\"}\n");
        var pieces = TextSource.Open(In("a.jsonl")).ReadPieces().ToList();
        Assert.That(pieces.Select(piece => (Encoding.UTF8.GetString(piece.Utf8.Span), piece.EndsDocument)),
            Is.EqualTo(((string, bool)[])[("one\r\ntwo", true), ("three", true)]));
    }
}
