using NUnit.Framework;

namespace Ingot.Tests.CommandLine;

/// <summary>`ingot profile`, as a process.</summary>
public sealed class ProfileCommandTests
{
    private readonly TemporaryDirectory _folder = new();

    [OneTimeTearDown]
    public void Delete() => _folder.Dispose();

    [Test]
    public void KernelsAreTimedSideBySideAndComparedWithEachOther()
    {
        const string Arguments = "profile op=swiglu --device cpu --shapes N=3,C=64 N=8,C=17 --output ";
        IngotProcess.Result first = IngotProcess.Run(Arguments + _folder["a.json"]);
        Assert.That(first.ExitCode, Is.Zero, first.Error);
        Assert.That(first.Output, Does.Match(@"matmul [\d.,]+ GFLOP/s, memory [\d.,]+ GB/s").And.Contain("swiglu N=3,C=64\n")
            .And.Contain("swiglu N=8,C=17\n"));
        Assert.That(first.Output, Does.Match(@"\nsimd +[\d.]+ +[\d.]+% +[\d.]+ +[\d.]+% +[\d.,]+ +[\d.,]+ +[\d.]+%\n")
            .Or.Match(@"\nsimd +[\d.]+ +[\d.]+ %"));
        IngotProcess.Result diff = IngotProcess.Run($"profile diff {_folder["a.json"]} {_folder["a.json"]} --all");
        Assert.That(diff.ExitCode, Is.Zero, diff.Error);
        Assert.That(diff.Output.Split("same ").Length - 1, Is.EqualTo(4), "two shapes, with warm and with cold caches");
    }

    [Test]
    public void AStepIsWrittenDownForComparingAndForPerfetto()
    {
        const string Small = "profile step --device cpu --model gpt2 --numHiddenLayers 1 --numAttentionHeads 2 --hiddenSize 16 "
            + "--sequenceLength 16 --vocabSize 300 --steps 2 ";
        IngotProcess.Result result = IngotProcess.Run($"{Small} --output {_folder["profile"]}");
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(result.Output, Does.Contain("attention=fused").And.Contain("transformer.h.0").And.Contain("between calls")
            .And.Contain("measuring"));
        foreach (string file in new[] { "profile.json", "trace.json", "profile.html" })
        {
            Assert.That(new FileInfo(Path.Combine(_folder["profile"], file)).Length, Is.Positive, file);
        }
    }

    [TestCase("profile", 2, "there is nothing to profile: name an op")]
    [TestCase("profile attention", 2, "\"attention\" is nothing to profile")]
    [TestCase("profile op=attenton", 2, "did you mean attention?")]
    [TestCase("profile op=attention", 2, "--shapes is missing")]
    [TestCase("profile op=attention --shapes B=1", 2, "lacks T")]
    [TestCase("profile op=attention --device cpu --shapes B=1,T=8,H=1,D=8 --variants fuse", 2, "attention has no kernel \"fuse\": did "
        + "you mean fused?")]
    [TestCase("profile diff /no/such.json /no/such.json", 1, "/no/such.json")]
    [TestCase("profile step --model gpt3", 2, "gpt3")]
    public void WhatCannotBeProfiledIsSaid(string arguments, int code, string message)
    {
        IngotProcess.Result result = IngotProcess.Run(arguments);
        Assert.That(result.ExitCode, Is.EqualTo(code), result.Error);
        Assert.That(result.Error, Does.Contain(message));
    }
}
