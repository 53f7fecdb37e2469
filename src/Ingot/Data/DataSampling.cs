namespace Ingot.Data;

/// <summary>How training sequences are chosen from the data.</summary>
public enum DataSampling
{
    /// <summary>Each sequence once an epoch, in an order shuffled anew for each.</summary>
    Epoch,

    /// <summary>Sequences at random offsets, as in nanoGPT.</summary>
    Random,
}
