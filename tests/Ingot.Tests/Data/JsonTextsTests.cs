using System.IO.Compression;
using System.Text;
using Ingot.Data;
using NUnit.Framework;

namespace Ingot.Tests.Data;

/// <summary>Texts and examples in files of lines, JSON and JSON Lines.</summary>
public sealed class JsonTextsTests : FolderTests
{
    [Test]
    public void LinesArraysAndJsonLinesAreExamples()
    {
        string[] expected = ["one", "two \"2\"", "drei – 三"];
        Write("a.txt", "one\n\r\ntwo \"2\"\r\ndrei – 三");
        Write("a.json", """["one", "two \"2\"", "", "drei – \u4e09"]""");
        Write("a.jsonl", "\"one\"\n\n{\"id\": 1, \"text\": \"two \\\"2\\\"\"}\n  \n{\"text\": \"drei – 三\"}");
        foreach (var file in new[] { "a.txt", "a.json", "a.jsonl" })
            Assert.That(ExampleFiles.Read(TextSource.Open(In(file))), Is.EqualTo(expected), file);
        using (var gzip = new GZipStream(File.Create(In("b.jsonl.gz")), CompressionLevel.Fastest))
            gzip.Write(File.ReadAllBytes(In("a.jsonl")));
        Assert.That(ExampleFiles.Read(TextSource.Open(In("b.jsonl.gz"))), Is.EqualTo(expected));
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
    [TestCase("a.json", "no JSON", DataFormat.Text)]
    public void WhatAFileHoldsIsSeenInItsBeginning(string name, string content, DataFormat expected)
    {
        Write(name, content);
        Assert.That(ExampleFiles.Recognize(TextSource.Open(In(name))), Is.EqualTo(expected));
    }

    [TestCase("a.jsonl", "\"a\"\n{\"texts\": 1, \"b\": 2}\n", "a.jsonl:2:", "texts, b")]
    [TestCase("a.jsonl", "{\"text\": \"a\"}\n{\"text\": \n", "a.jsonl:2:", "not JSON")]
    [TestCase("a.jsonl", "{\"text\": 5}\n", "a.jsonl:1:", "text")]
    [TestCase("a.jsonl", "[1]\n", "a.jsonl:1:", "an array")]
    [TestCase("a.jsonl", "{\"text\": \"\\ud800\"}\n", "a.jsonl:1:", "surrogate")]
    [TestCase("a.json", "[\"a\", 5]", "a.json:", "entry 1")]
    [TestCase("a.json", "[\"a\",\n \"b\"\n", "a.json:", "not JSON")]
    [TestCase("a.json", "{\"text\": \"a\"}", "a.json:", "array of strings")]
    public void WhatIsNoTextIsNamed(string name, string content, string place, string problem)
    {
        Write(name, content);
        Assert.That(() => ExampleFiles.Read(TextSource.Open(In(name))).ToList(),
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
