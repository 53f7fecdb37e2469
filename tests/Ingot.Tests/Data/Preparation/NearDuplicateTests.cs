using Ingot.Data.Preparation.Cleaning;
using Ingot.Data.Preparation.Duplicates;
using NUnit.Framework;

namespace Ingot.Tests.Data.Preparation;

public class NearDuplicateTests : FolderTests
{
    private readonly WordList _words = new();
    private readonly MinHash _minHash = new();

    [Test]
    public void SignaturesEstimateTheJaccardSimilarity()
    {
        var random = new Random(5);
        var errors = new List<double>();
        foreach (var changes in new[] { 0, 1, 3, 5, 10, 20, 40, 80 })
        {
            for (var round = 0; round < 10; round++)
            {
                var words = Enumerable.Range(0, 400).Select(_ => $"w{random.Next(100_000)}").ToArray();
                var other = (string[])words.Clone();
                for (var i = 0; i < changes; i++)
                    other[random.Next(other.Length)] = $"n{random.Next(100_000)}";
                var (a, b) = (Shingles(words), Shingles(other));
                var jaccard = a.Intersect(b).Count() / (double)a.Union(b).Count();
                var estimate = Equal(Sign(words), Sign(other)) / (double)MinHash.Length;
                var deviation = Math.Sqrt(jaccard * (1 - jaccard) / MinHash.Length);
                Assert.That(estimate, Is.EqualTo(jaccard).Within((5 * deviation) + 1e-9));
                errors.Add(estimate - jaccard);
            }
        }

        Assert.That(errors.Average(), Is.EqualTo(0).Within(0.02), "no bias");
    }

    [Test]
    public void CaseAndPunctuationDoNotCount()
    {
        Assert.That(Sign("Hello,", "World!"), Is.EqualTo(Sign("hello", "—", "world")));
        Assert.That(_minHash.Sign(Read("!? --")), Is.Null);
    }

    [TestCase(0.3)]
    [TestCase(0.5)]
    [TestCase(0.7)]
    [TestCase(0.8)]
    [TestCase(0.95)]
    [TestCase(1)]
    public void BandsFindNineInTenAtTheThreshold(double threshold)
    {
        var banding = Banding.For(threshold);
        Assert.That(banding.Bands * banding.Rows, Is.LessThanOrEqualTo(MinHash.Length));
        Assert.That(banding.Recall(threshold), Is.GreaterThanOrEqualTo(0.9).Or.EqualTo(banding.Recall(1)));
        var longer = new Banding(MinHash.Length / (banding.Rows + 1), banding.Rows + 1);
        Assert.That(longer.Bands == 0 || longer.Recall(threshold) < 0.9, "no longer bands would do");
    }

    [Test]
    public void PlantedDuplicatesAreFoundAndOthersAreNot()
    {
        // Enough that the tables grow several times.
        const int Count = 30_000;
        var random = new Random(6);
        using var file = new SignatureFile(In("signatures"), MinHash.Length, 0);
        var budget = new MemoryBudget(long.MaxValue);
        using var index = new NearDuplicateIndex(0.8, file, budget);
        var signature = new ushort[MinHash.Length];
        var some = new List<ushort[]>();
        for (var i = 0; i < Count; i++)
        {
            // Signatures of texts that have nothing in common are random numbers.
            random.NextBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes(signature.AsSpan()));
            Assert.That(index.Find(signature), Is.Null);
            index.Add(file.Count, signature);
            file.Add((UInt128)(uint)i, signature);
            if (i % 100 == 0)
                some.Add((ushort[])signature.Clone());
        }

        Assert.That(budget.Taken, Is.InRange(Count * 16L * 10, Count * 16L * 12), "memory for a document as documented");
        var found = 0;
        foreach (var original in some)
        {
            Assert.That(index.Find(original), Is.EqualTo(1));
            // 12 in 128 are other: similarity 0.906.
            var near = Change(original, 12, random);
            var similarity = index.Find(near);
            found += similarity is null ? 0 : 1;
            Assert.That(similarity, Is.Null.Or.EqualTo(116 / 128.0));
            Assert.That(index.Find(Change(original, 30, random)), Is.Null, "below the threshold");
        }

        Assert.That(found, Is.GreaterThan(0.98 * some.Count));
    }

    [Test]
    public void TooLittleMemoryIsAnError()
    {
        using var set = new HashIndex<ulong>(new MemoryBudget(100_000));
        Assert.That(
            () =>
            {
                for (var i = 1UL; i < 100_000; i++)
                    set.Add(i);
            },
            Throws.TypeOf<InsufficientMemoryException>().With.Message.Contains("maxMemory"));
    }

    [Test]
    public void SetsHoldWhatWasAdded()
    {
        var random = new Random(7);
        using var set = new HashIndex<UInt128>(new MemoryBudget(long.MaxValue));
        var expected = new HashSet<UInt128>();
        for (var i = 0; i < 50_000; i++)
        {
            var item = (UInt128)(ulong)random.Next(30_000); // Zero, too.
            Assert.That(set.Contains(item), Is.EqualTo(expected.Contains(item)));
            Assert.That(set.Add(item), Is.EqualTo(expected.Add(item)));
        }

        Assert.That(set.Count, Is.EqualTo(expected.Count));
    }

    private static ushort[] Change(ushort[] signature, int places, Random random)
    {
        var changed = (ushort[])signature.Clone();
        foreach (var place in Enumerable.Range(0, changed.Length).OrderBy(_ => random.Next()).Take(places))
            changed[place] ^= 1;
        return changed;
    }

    private static HashSet<string> Shingles(string[] words) =>
        [.. Enumerable.Range(0, words.Length - 4).Select(i => string.Join(' ', words[i..(i + 5)]))];

    private static int Equal(uint[] a, uint[] b) => a.Where((value, i) => value == b[i]).Count();

    private uint[] Sign(params string[] words) => _minHash.Sign(Read(string.Join(' ', words)))!;

    private WordList Read(string text)
    {
        _words.Read(text);
        return _words;
    }
}
