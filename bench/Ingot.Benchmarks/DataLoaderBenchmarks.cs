using BenchmarkDotNet.Attributes;
using Ingot.Data;
using Ingot.Tokenizers;

namespace Ingot.Benchmarks;

/// <summary>A batch of 12 × 1,024 tokens from a token file of a million, which the system has in memory.</summary>
public class DataLoaderBenchmarks
{
    private string _folder = "";
    private TokenDataset _data = null!;
    private BatchSampler _sampler = null!;
    private PrefetchingBatchSource _ahead = null!;
    private Batch _batch = null!;

    [Params(DataSampling.Epoch, DataSampling.Random)]
    public DataSampling Sampling { get; set; }

    [GlobalSetup]
    public void Make()
    {
        _folder = Directory.CreateTempSubdirectory("ingot-bench-").FullName;
        var path = Path.Combine(_folder, "text.txt");
        File.WriteAllText(path, MadeUpText.Make(1_000_000));
        var source = TextSource.Open(path);
        _data = TokenDataset.Prepare(source, CharacterTokenizer.Train(source.ReadUtf8()), Path.Combine(_folder, "cache"), 0);
        _sampler = new BatchSampler(_data.Train, 12, 1024, Sampling, seed: 1);
        _ahead = new PrefetchingBatchSource(new BatchSampler(_data.Train, 12, 1024, Sampling, seed: 1));
        _batch = ((IBatchSource)_sampler).NewBatch();
    }

    [GlobalCleanup]
    public void Free()
    {
        _ahead.Dispose();
        _data.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Benchmark]
    public void Next() => _sampler.Next(_batch);

    /// <summary>Waiting for the thread that reads ahead, which does nothing else: the rate of that thread.</summary>
    [Benchmark]
    public void NextReadAhead() => _ahead.Next(_batch);
}
