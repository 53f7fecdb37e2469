using Ingot.Data;
using NUnit.Framework;

namespace Ingot.Tests.Data;

/// <summary>Windows of a token file whose documents do not see each other.</summary>
public sealed class DocumentMaskTests : FolderTests
{
    private const int EndOfText = 9;

    // Documents of the file: one that holds two of its own, one empty, one of a token, one without an end.
    private static readonly int[][] Documents = [[1, 2, EndOfText, 3, 4, 5, EndOfText], [], [EndOfText], [6, 7, 8]];

    [Test]
    public void ADocumentIsASegmentWhosePositionsBeginAtZero()
    {
        using var file = Write(EndOfText);
        var batch = new Batch(1, 10, hasSegments: true);

        new BatchSampler(file, 1, 10, DataSampling.Epoch, 1, documentMask: true).Next(batch);

        Assert.That(batch.Tokens.ToArray(), Is.EqualTo((int[])[1, 2, 9, 3, 4, 5, 9, 9, 6, 7]));
        Assert.That(batch.Targets.ToArray(), Is.EqualTo((int[])[2, 9, -100, 4, 5, 9, -100, -100, 7, 8]));
        Assert.That(batch.Segments.ToArray(), Is.EqualTo((int[])[0, 0, 0, 1, 1, 1, 1, 2, 3, 3]));
        Assert.That(batch.Positions.ToArray(), Is.EqualTo((int[])[0, 1, 2, 0, 1, 2, 3, 0, 0, 1]));
        Assert.That(batch.TokenCount, Is.EqualTo(10));
    }

    [Test]
    public void WithoutAnEndOfTextTokenTheFileKnowsTheDocuments()
    {
        using var file = Write(endOfText: null);
        var batch = new Batch(2, 5, hasSegments: true);

        var counted = new EvaluationBatches(file, 2, 5, documentMask: true).Read(0, batch);

        Assert.That(batch.Targets.ToArray(), Is.EqualTo((int[])[2, 9, 3, 4, 5, 9, -100, -100, 7, 8]));
        Assert.That(batch.Segments.ToArray(), Is.EqualTo((int[])[0, 0, 0, 0, 0, 0, 0, 1, 2, 2]));
        Assert.That(batch.Positions.ToArray(), Is.EqualTo((int[])[0, 1, 2, 3, 4, 0, 1, 0, 0, 1]));
        Assert.That(counted, Is.EqualTo(8));
    }

    [Test]
    public void AWindowMayBeginAndEndAnywhere([Range(0, 5)] int start)
    {
        using var file = Write(EndOfText);
        var windows = new TokenWindows(file, 5, documentMask: true);
        var whole = new Batch(1, 10, hasSegments: true);
        new TokenWindows(file, 10, documentMask: true).Fill(whole, 0, 0, 10);
        var batch = new Batch(1, 5, hasSegments: true);

        windows.Fill(batch, 0, start, 5);

        for (var i = 0; i < 5; i++)
        {
            Assert.That(batch.Targets[i], Is.EqualTo(whole.Targets[start + i]));
            Assert.That(batch.Segments[i], Is.EqualTo(whole.Segments[start + i] - whole.Segments[start]));
            // A window that begins inside of a document begins at position 0.
            Assert.That(batch.Positions[i], Is.EqualTo(Math.Min(whole.Positions[start + i], i)));
        }
    }

    [Test]
    public void WhatIsTakenIsWhatIsTakenWithoutTheMask()
    {
        using var file = Write(EndOfText);
        var (masked, plain) = (new Batch(2, 3, hasSegments: true), new Batch(2, 3));
        var (one, other) = (new BatchSampler(file, 2, 3, DataSampling.Random, 5, documentMask: true),
            new BatchSampler(file, 2, 3, DataSampling.Random, 5));
        for (var i = 0; i < 20; i++)
        {
            one.Next(masked);
            other.Next(plain);
            Assert.That(masked.Tokens.ToArray(), Is.EqualTo(plain.Tokens.ToArray()));
            Assert.That(one.Position, Is.EqualTo(other.Position));
        }
    }

    private TokenFile Write(int? endOfText)
    {
        var path = In($"{endOfText}.tokens");
        using (var writer = new TokenFileWriter(path, new SomeTokenizer(10, endOfText)))
        {
            foreach (var document in Documents)
            {
                writer.BeginDocument();
                writer.Append(document, document.Length);
            }

            writer.Complete();
        }

        return TokenFile.Open(path);
    }
}
