using Ingot.Data;
using NUnit.Framework;

namespace Ingot.Tests.Data;

/// <summary>Files with a text a line, as sources of translations and summaries are read.</summary>
public sealed class LineTextsTests : FolderTests
{
    [Test]
    public void TextsFieldsAndListsOfSentencesAreRead()
    {
        File.WriteAllText(In("a.jsonl"), """
            "one"
            {"text": "two"}

            {"text": ["Three.", "", "And four."]}
            ["Five.", "Six."]
            {"text": []}
            """);
        Assert.That(LineTexts.Read(In("a.jsonl")), Is.EqualTo(new[]
        {
            ("one", 1L), ("two", 2), ("Three. And four.", 4), ("Five. Six.", 5), ("", 6),
        }));

        File.WriteAllText(In("a.txt"), "[\"as it is\"]\n\nlast");
        Assert.That(LineTexts.Read(In("a.txt")), Is.EqualTo(new[] { ("[\"as it is\"]", 1L), ("", 2), ("last", 3) }));
    }

    [TestCase("""{"text": ["a", 1]}""")]
    [TestCase("""{"text": 1}""")]
    [TestCase("null")]
    public void WhatIsNoTextIsSaid(string line)
    {
        File.WriteAllText(In("a.jsonl"), "\"one\"\n" + line);
        Assert.That(() => LineTexts.Read(In("a.jsonl")).ToList(), Throws.InstanceOf<InvalidDataException>()
            .With.Message.EqualTo($"{In("a.jsonl")}, line 2: neither a text nor an object whose \"text\" is a text."));
    }
}
